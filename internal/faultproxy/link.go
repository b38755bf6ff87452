package faultproxy

import (
	"net"
	"sync"
	"time"
)

// link is one client's connection.
type link struct {
	proxy  *Proxy
	client net.Conn
	server net.Conn // nil if the server could not be reached
	once   sync.Once
	gone   chan struct{} // closed when the link is cut

	mu     sync.Mutex // guards rule between up and down
	rule   *rule      // that befell the link
	passed int        // bytes of the answer since then; down's
}

// cut closes both connections.
func (l *link) cut() {
	l.once.Do(func() {
		close(l.gone)
		_ = l.client.Close()
		if l.server != nil {
			_ = l.server.Close()
		}
	})
}

// up passes on what the client sends. A request may come in pieces: what it
// ended with is kept, as far as a rule's text may begin in it.
func (l *link) up() {
	defer l.cut()
	buf := make([]byte, 64<<10)
	var sent []byte
	for {
		n, err := l.client.Read(buf)
		if err != nil {
			return
		}
		wait, _ := l.proxy.delays()
		if !l.rest(wait) {
			return
		}
		sent = append(sent, buf[:n]...)
		if !l.request(sent, n) {
			return
		}
		const longest = 1 << 10 // text of a rule
		sent = append(sent[:0], sent[max(0, len(sent)-longest):]...)
	}
}

// request passes on the last n bytes of what was sent, unless a rule is against
// it. No answer is looked at while a request that a rule is about is on its way:
// the connection can't be cut before it has left.
func (l *link) request(sent []byte, n int) bool {
	last := sent[len(sent)-n:]
	if l.rule != nil { // which this goroutine alone sets
		return l.rule.silence || pass(l.server, last)
	}
	r := l.proxy.match(sent, n)
	if r == nil {
		return pass(l.server, last)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rule = r
	return !r.request && pass(l.server, last)
}

// down passes on what the server answers.
func (l *link) down() {
	defer l.cut()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		if err != nil {
			return
		}
		_, wait := l.proxy.delays()
		if !l.rest(wait) || !l.reply(buf[:n]) {
			return
		}
	}
}

// reply passes on bytes of an answer as far as a rule lets it.
func (l *link) reply(bytes []byte) bool {
	l.mu.Lock()
	r := l.rule
	l.mu.Unlock()
	if r == nil {
		return pass(l.client, bytes)
	}
	if r.silence {
		return true
	}
	left := r.pass - l.passed
	l.passed += len(bytes)
	if len(bytes) <= left {
		return pass(l.client, bytes)
	}
	pass(l.client, bytes[:left])
	return false
}

// pass writes bytes and reports whether that worked.
func pass(to net.Conn, bytes []byte) bool {
	_, err := to.Write(bytes)
	return err == nil
}

// rest waits, and reports whether the link is still there.
func (l *link) rest(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.gone:
		return false
	}
}
