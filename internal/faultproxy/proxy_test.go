package faultproxy_test

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that writes down every line and sends it back.
type echo struct {
	net.Listener
	mu    sync.Mutex
	lines []string
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				for in := bufio.NewScanner(c); in.Scan(); {
					e.mu.Lock()
					e.lines = append(e.lines, in.Text())
					e.mu.Unlock()
					fmt.Fprintln(c, in.Text())
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return e
}

func (e *echo) got() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.lines)
}

// client sends lines and reads their echo.
type client struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, p *faultproxy.Proxy) *client {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", p.Port()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &client{c, bufio.NewReader(c)}
}

func (c *client) say(line string) (string, error) {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	return c.in.ReadString('\n')
}

func TestTheAnswerIsDroppedAndTheRequestArrives(t *testing.T) {
	t.Parallel()
	server := startEcho(t)
	p := faultproxy.Start(t, "tcp", server.Addr().String())
	c := dial(t, p)
	if got, err := c.say("hello"); err != nil || got != "hello\n" {
		t.Fatal(got, err)
	}
	p.DropReplyTo("commit")
	if got, err := c.say("COMMIT"); err == nil {
		t.Errorf("the answer %q came through", got)
	}
	if got := server.got(); !slices.Equal(got, []string{"hello", "COMMIT"}) || p.Cuts() != 1 {
		t.Errorf("the server got %v, %d cuts", got, p.Cuts())
	}
	if _, err := dial(t, p).say("COMMIT"); err != nil {
		t.Errorf("the rule holds twice: %v", err)
	}
}

func TestTheRequestIsDropped(t *testing.T) {
	t.Parallel()
	server := startEcho(t)
	p := faultproxy.Start(t, "tcp", server.Addr().String())
	p.DropRequest("commit")
	if _, err := dial(t, p).say("COMMIT"); err == nil {
		t.Error("an answer came")
	}
	if got := server.got(); len(got) != 0 {
		t.Errorf("the server got %v", got)
	}
}

func TestEverythingIsCutAndRefused(t *testing.T) {
	t.Parallel()
	server := startEcho(t)
	p := faultproxy.Start(t, "tcp", server.Addr().String())
	c := dial(t, p)
	if _, err := c.say("hello"); err != nil {
		t.Fatal(err)
	}
	p.CutAll()
	if _, err := c.in.ReadString('\n'); err == nil {
		t.Error("the connection lives")
	}
	p.Refuse(true)
	if _, err := dial(t, p).say("hello"); err == nil {
		t.Error("a connection was accepted")
	}
	p.Refuse(false)
	if _, err := dial(t, p).say("hello"); err != nil {
		t.Error(err)
	}
}
