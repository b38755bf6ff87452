package statusz

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

// shareFor is how long an answer is given to those who ask after it was made. In
// a trouble everybody looks at the page, and the service has better things to do
// than to draw it for each of them.
const shareFor = 250 * time.Millisecond

// shared is the latest answer in one format. Its lock is held while it is looked
// up, never while it is made or sent.
type shared struct {
	mu     sync.Mutex
	latest *answer
}

// answer is an answer that many get, or wait for.
type answer struct {
	at   time.Duration // when it was begun
	made chan struct{} // closed once the rest is set, which nobody changes then
	body []byte
	err  error
}

// errUnfinished is the error of an answer whose making ended in a panic, such as
// one of a function that an option has given.
var errUnfinished = errors.New("statusz: the making of the page ended early")

// body returns the page as write writes it. It is the one that was made last, if
// that was a moment ago; the one that is being made, once it is; or a new one. It
// returns ctx's error if that ends while another request makes the page.
func (p *Page) body(ctx context.Context, from *shared, write func(*bytes.Buffer, *snapshot) error) ([]byte, error) {
	now := p.clock()
	from.mu.Lock()
	a := from.latest
	if a == nil || now-a.at >= shareFor && a.isMade() {
		a = &answer{at: now, made: make(chan struct{}), err: errUnfinished}
		from.latest = a
		from.mu.Unlock()
		from.fill(a, func(to *bytes.Buffer) error { return write(to, p.snapshot()) })
		return a.body, a.err
	}
	from.mu.Unlock()
	select {
	case <-a.made:
		return a.body, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (a *answer) isMade() bool {
	select {
	case <-a.made:
		return true
	default:
		return false
	}
}

// fill makes an answer. One that failed is not given to those who ask later.
func (s *shared) fill(a *answer, write func(*bytes.Buffer) error) {
	defer func() {
		if a.err != nil {
			s.mu.Lock()
			if s.latest == a {
				s.latest = nil
			}
			s.mu.Unlock()
		}
		close(a.made)
	}()
	var body bytes.Buffer
	if a.err = write(&body); a.err == nil {
		a.body = body.Bytes()
	}
}
