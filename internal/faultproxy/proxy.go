package faultproxy

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy stands between clients and one server. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	network  string
	address  string
	wg       sync.WaitGroup
	ctx      context.Context // ends with the proxy
	cancel   context.CancelFunc

	mu          sync.Mutex
	links       map[*link]bool
	rule        *rule // nil if none is armed
	matches     int
	connections int
	refuse      bool
	up, down    time.Duration // what each direction is delayed by
}

// Start starts a proxy to a server's address, a TCP address or the path of a
// Unix socket, which ends with the test.
func Start(t testing.TB, network, address string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, network: network, address: address, links: map[*link]bool{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	t.Cleanup(p.stop)
	return p
}

// Port returns the TCP port on 127.0.0.1 where clients connect.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// Cuts returns how many connections a rule has befallen.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.matches
}

// Connections returns how many connections clients have made, refused ones
// among them.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections
}

// CutAll cuts every connection.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Refuse makes the proxy close new connections at once, or accept them again.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Delay makes whatever a client sends wait for up before it is passed on, and
// whatever the server sends for down. Zero means no wait. It holds for open
// connections too, from the next bytes on.
func (p *Proxy) Delay(up, down time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up, down
}

func (p *Proxy) delays() (up, down time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up, p.down
}

func (p *Proxy) stop() {
	p.cancel()
	_ = p.listener.Close()
	p.CutAll()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.connect(client) })
	}
}

func (p *Proxy) connect(client net.Conn) {
	dialer := net.Dialer{}
	server, err := dialer.DialContext(p.ctx, p.network, p.address)
	if err != nil {
		server = nil
	}
	l := &link{proxy: p, client: client, server: server, gone: make(chan struct{})}
	if !p.admit(l) {
		l.cut()
		return
	}
	var both sync.WaitGroup
	both.Go(l.up)
	both.Go(l.down)
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// admit counts a connection and reports whether it may be. One that comes while
// the proxy stops may not: CutAll has not seen it.
func (p *Proxy) admit(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connections++
	if p.refuse || l.server == nil || p.ctx.Err() != nil {
		return false
	}
	p.links[l] = true
	return true
}
