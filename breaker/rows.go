package breaker

import (
	"sync"

	"github.com/sessionproxy/sessionproxy"
)

// pending is the outcome of a call whose rows are open. It is pooled; finish
// is bound once.
type pending struct {
	call    *sessionproxy.Call
	circuit *circuit
	phase   *phase
	slow    bool
	finish  func(error)
}

var pendingPool = sync.Pool{New: func() any { return new(pending) }}

// awaitRows counts the call when its rows are closed. Only the time to the
// first answer can make it slow: the rest is the reader's pace.
func awaitRows(call *sessionproxy.Call, c *circuit, p *phase, slow bool) {
	w := pendingPool.Get().(*pending)
	if w.finish == nil {
		w.finish = w.onFinish
	}
	w.call, w.circuit, w.phase, w.slow = call, c, p, slow
	call.OnFinish(w.finish)
}

func (w *pending) onFinish(err error) {
	c := w.circuit
	c.record(w.call, w.phase, err, c.cfg.now(), w.slow)
	w.call, w.circuit, w.phase = nil, nil, nil
	pendingPool.Put(w)
}
