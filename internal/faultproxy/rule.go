package faultproxy

import "bytes"

// rule is what befalls the connection on which a client sends text.
type rule struct {
	text    []byte // in lower case; empty for whatever is sent next
	request bool   // the request is not passed on; otherwise it is, and its answer is not
	silence bool   // the connection stays and nothing passes any more; otherwise it is cut
	pass    int    // how many bytes of the answer are passed on nevertheless
}

// DropReplyTo tells the proxy to cut the next connection on which a client
// sends text, after the server has begun to answer it; the answer is not passed
// on. It does so once, and replaces a rule that was not used yet.
func (p *Proxy) DropReplyTo(text string) { p.arm(text, rule{}) }

// CutReplyTo is [Proxy.DropReplyTo], save that the first n bytes of the answer
// are passed on. An answer that is shorter leaves the connection to what the
// server sends next.
func (p *Proxy) CutReplyTo(text string, n int) { p.arm(text, rule{pass: n}) }

// SilenceReplyTo is [Proxy.DropReplyTo], save that the connection is not cut:
// it stays, for client and server, and nothing passes in either direction, as
// with a network that loses packets.
func (p *Proxy) SilenceReplyTo(text string) { p.arm(text, rule{silence: true}) }

// DropRequest tells the proxy to cut the next connection on which a client
// sends text, without passing it on. It does so once, and replaces a rule that
// was not used yet.
func (p *Proxy) DropRequest(text string) { p.arm(text, rule{request: true}) }

func (p *Proxy) arm(text string, r rule) {
	r.text = bytes.ToLower([]byte(text))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule = &r
}

// match returns the rule for the last n bytes of what a client sent, and uses it
// up. The text may begin before them, but not end there: what was sent before
// the rule was armed is none of its business.
func (p *Proxy) match(sent []byte, n int) *rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rule == nil {
		return nil
	}
	from := max(0, len(sent)-n-max(0, len(p.rule.text)-1))
	if !bytes.Contains(bytes.ToLower(sent[from:]), p.rule.text) {
		return nil
	}
	r := p.rule
	p.rule = nil
	p.matches++
	return r
}
