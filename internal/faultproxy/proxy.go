package faultproxy

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// Proxy stands between clients and one server. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	network  string
	address  string
	wg       sync.WaitGroup

	mu      sync.Mutex
	links   map[*link]bool
	pattern []byte // what a client's bytes have to hold for its connection to be cut
	deaf    bool   // cut before the request is passed on, rather than after its answer
	cuts    int
	refuse  bool
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
	p.wg.Go(p.accept)
	t.Cleanup(p.stop)
	return p
}

// Port returns the TCP port on 127.0.0.1 where clients connect.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// DropReplyTo tells the proxy to cut the next connection on which a client
// sends text, in one write, after the server has answered it; the answer is
// not passed on. It does so once.
func (p *Proxy) DropReplyTo(text string) { p.arm(text, false) }

// DropRequest tells the proxy to cut the next connection on which a client
// sends text, in one write, without passing it on. It does so once.
func (p *Proxy) DropRequest(text string) { p.arm(text, true) }

func (p *Proxy) arm(text string, deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pattern, p.deaf = []byte(text), deaf
}

// Cuts returns how many connections were cut by a rule.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
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

func (p *Proxy) stop() {
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
	server, err := net.Dial(p.network, p.address)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{proxy: p, client: client, server: server}
	p.mu.Lock()
	refused := p.refuse
	if !refused {
		p.links[l] = true
	}
	p.mu.Unlock()
	if refused {
		l.cut()
		return
	}
	var both sync.WaitGroup
	both.Go(l.up)
	both.Go(l.down)
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// matches reports whether the rule is about what a client sent, and uses it up.
func (p *Proxy) matches(sent []byte) (hit, deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pattern) == 0 || !bytes.Contains(bytes.ToLower(sent), bytes.ToLower(p.pattern)) {
		return false, false
	}
	p.pattern = nil
	p.cuts++
	return true, p.deaf
}

// link is one client's connection.
type link struct {
	proxy          *Proxy
	client, server net.Conn

	mu   sync.Mutex
	drop bool // the next answer is not passed on
}

func (l *link) cut() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// up passes on what the client sends.
func (l *link) up() {
	defer l.cut()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buf)
		if hit, deaf := l.proxy.matches(buf[:n]); hit {
			if deaf {
				return
			}
			l.mu.Lock()
			l.drop = true
			l.mu.Unlock()
		}
		if _, werr := l.server.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// down passes on what the server answers.
func (l *link) down() {
	defer l.cut()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		l.mu.Lock()
		drop := l.drop
		l.mu.Unlock()
		if drop {
			return
		}
		if _, werr := l.client.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
