// A static Go program: goroutines on several threads, channels, net/http on loopback, a child process, a recovered fault, timers.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func counted() int64 {
	runtime.GOMAXPROCS(4)
	var total atomic.Int64
	var group sync.WaitGroup
	for i := range 50 {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := range 2000 {
				total.Add(int64(i ^ j))
				if j%100 == 0 {
					runtime.Gosched()
				}
			}
		}()
	}
	group.Wait()
	return total.Load()
}

func served() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hello/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, strings.ToUpper(string(body)))
	})
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	answers := make(chan string)
	for i := range 8 {
		go func() {
			url := fmt.Sprintf("http://%s/hello/%d", listener.Addr(), i)
			answer, err := http.Post(url, "text/plain", strings.NewReader(strings.Repeat("body ", 3)))
			if err != nil {
				answers <- err.Error()
				return
			}
			defer answer.Body.Close()
			content, _ := io.ReadAll(answer.Body)
			answers <- fmt.Sprint(answer.StatusCode, " ", string(content))
		}()
	}
	var all []string
	for range 8 {
		all = append(all, <-answers)
	}
	sort.Strings(all)
	fmt.Println(strings.Join(all, "\n"))
	fmt.Println(server.Shutdown(context.Background()))
}

func recovered() (what any) {
	debug.SetPanicOnFault(true)
	defer func() { what = recover() }()
	var nowhere *struct{ field int }
	return nowhere.field
}

func main() {
	fmt.Println(counted())
	served()
	fmt.Println(recovered())
	output, err := exec.Command("sh", "-c", "cat; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", output, err)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-told)
	ticker, ticks := time.NewTicker(5*time.Millisecond), 0
	for range ticker.C {
		if ticks++; ticks == 5 {
			break
		}
	}
	sum := 0
	for i := range 200 { // garbage for the collector
		list := make([]int, 20000)
		list[i] = i
		sum += list[i]
	}
	runtime.GC()
	fmt.Println(ticks, sum)
	panic("the end")
}
