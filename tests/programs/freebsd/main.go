package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

func worker(id int, in <-chan int, out chan<- int) {
	for v := range in {
		out <- v * v
	}
	_ = id
}
func main() {
	fmt.Println("hello from", runtime.GOOS, runtime.GOARCH, len(os.Args))
	in, out := make(chan int), make(chan int)
	for i := 0; i < 4; i++ {
		go worker(i, in, out)
	}
	go func() {
		for i := 1; i <= 1000; i++ {
			in <- i
		}
		close(in)
	}()
	sum := 0
	for i := 0; i < 1000; i++ {
		sum += <-out
	}
	fmt.Println("sum", sum)
	m := map[string]int{}
	for i := 0; i < 200000; i++ {
		m[fmt.Sprint("k", i%5000)] += i
	}
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	fmt.Println("map", len(m), m["k42"], "gc", ms.NumGC > 0)
	func() { defer func() { fmt.Println("recovered:", recover()) }(); var p *int; *p = 1 }()
	t := time.Now()
	time.Sleep(20 * time.Millisecond)
	fmt.Println("slept", time.Since(t) >= 20*time.Millisecond)
	done := make(chan bool)
	go func() {
		x := 0
		for i := 0; i < 1e8; i++ {
			x += i
		}
		_ = x
		done <- true
	}()
	<-done
	err := os.WriteFile("/tmp/x", []byte("file text"), 0644)
	b, err2 := os.ReadFile("/tmp/x")
	fmt.Println(err, string(b), err2, strings.ToUpper("done"))
	_, err3 := os.Open("/none")
	fmt.Println(err3)
	es, err4 := os.ReadDir("/tmp")
	fmt.Println(len(es), err4)
	r, w, _ := os.Pipe()
	go func() {
		w.Write(make([]byte, 300000)) // more than a pipe holds: both sides wait
		w.Close()
	}()
	all, err5 := io.ReadAll(r)
	fmt.Println("pipe", len(all), err5)
	os.Exit(7)
}
