// Children, sockets on the loopback, signals and names, as any system gives them: the same output natively and under FreeBSD.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		b, _ := io.ReadAll(os.Stdin)
		fmt.Println("child got", strings.ToUpper(string(b)), os.Getenv("X"))
		os.Exit(5)
	}
	// os/exec
	self, err := os.Executable()
	fmt.Println("self", err)
	dir, err := os.MkdirTemp("", "network")
	fmt.Println(err)
	defer os.RemoveAll(dir)
	c := exec.Command(self, "child")
	c.Env = append(os.Environ(), "X=y")
	c.Stdin = strings.NewReader("some words")
	out, err := c.CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	_, err = exec.Command("/none").Output()
	fmt.Println(err)
	// tcp
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println("listen", err)
		os.Exit(1)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				s := bufio.NewScanner(c)
				for s.Scan() {
					fmt.Fprintf(c, "echo %s\n", s.Text())
				}
				c.Close()
			}()
		}
	}()
	var wg sync.WaitGroup
	ok := 0
	var mu sync.Mutex
	for i := 0; i < 10; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				fmt.Println(err)
				return
			}
			r := bufio.NewReader(c)
			for j := 0; j < 50; j++ {
				fmt.Fprintf(c, "line %d %d\n", i, j)
				s, _ := r.ReadString('\n')
				if s == fmt.Sprintf("echo line %d %d\n", i, j) {
					mu.Lock()
					ok++
					mu.Unlock()
				}
			}
			c.Close()
		}(i)
	}
	wg.Wait()
	fmt.Println("echoes", ok)
	l.Close()
	_, err = net.Dial("tcp", l.Addr().String())
	fmt.Println("refused:", err != nil && strings.Contains(err.Error(), "connection refused"))
	// deadline
	l2, _ := net.Listen("tcp", ":0")
	_, port, _ := net.SplitHostPort(l2.Addr().String())
	c2, err := net.Dial("tcp", "127.0.0.1:"+port)
	fmt.Println(err)
	c2.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err = c2.Read(make([]byte, 1))
	fmt.Println("timeout:", err.(net.Error).Timeout())
	// udp
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	fmt.Println(err)
	d, _ := net.Dial("udp", u.LocalAddr().String())
	d.Write([]byte("datagram"))
	b := make([]byte, 100)
	n, from, err := u.ReadFrom(b)
	fmt.Println(string(b[:n]), from.String() == d.LocalAddr().String(), err)
	// http
	hl, _ := net.Listen("tcp", "127.0.0.1:0")
	go http.Serve(hl, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path)
	}))
	resp, err := http.Get("http://" + hl.Addr().String() + "/a/b")
	if err != nil {
		fmt.Println(err)
	} else {
		body, _ := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, string(body))
	}
	// unix
	ul, err := net.Listen("unix", dir+"/s")
	fmt.Println(err)
	go func() { c, _ := ul.Accept(); c.Write([]byte("unix hello")); c.Close() }()
	uc, err := net.Dial("unix", dir+"/s")
	if err == nil {
		b, _ := io.ReadAll(uc)
		fmt.Println(string(b))
	} else {
		fmt.Println(err)
	}
	// signals
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-ch)
	// kill child
	k := exec.Command(self, "child")
	in, _ := k.StdinPipe()
	k.Start()
	k.Process.Kill()
	fmt.Println(k.Wait())
	in.Close()
	tick := time.NewTicker(5 * time.Millisecond)
	for i := 0; i < 3; i++ {
		<-tick.C
	}
	os.WriteFile(dir+"/a", []byte("x"), 0600)
	fmt.Println(os.Rename(dir+"/a", dir+"/b"), os.Chdir(dir))
	wd, _ := os.Getwd()
	fmt.Println(wd == dir, os.Symlink("b", "c"))
	s, _ := os.Readlink("c")
	fmt.Println(s)
	fmt.Println("done")
}
