package statusz

// Forget has the next request get an answer of its own, for tests that look twice
// at one moment.
func (p *Page) Forget() {
	for _, s := range []*shared{&p.html, &p.json} {
		s.mu.Lock()
		s.latest = nil
		s.mu.Unlock()
	}
}
