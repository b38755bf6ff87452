package linktest

import (
	"context"
	"sync"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Twin is an operation of which forks can be made: what it does depends on
// which fork it is, from 1.
type Twin struct {
	// Act is what fork n does.
	Act    func(ctx context.Context, call *sp.Call, n int) error
	number int
	// Forks is what came of all.
	Forks *Forkings
}

// Forkings is what came of an operation and its forks.
type Forkings struct {
	mu sync.Mutex
	// Made is how many forks there are.
	Made int
	// Performed has the forks in the order they ran.
	Performed []int
	// Discarded has those whose result was thrown away.
	Discarded []int
	Hooked    map[int][]error // what the finish hooks of each got
	Adopted   int             // 0: the operation itself was performed
	// Inside has the context of each.
	Inside map[int]context.Context
}

// NewTwin returns a twin that does act.
func NewTwin(act func(ctx context.Context, call *sp.Call, n int) error) *Twin {
	return &Twin{Act: act, Forks: &Forkings{Hooked: map[int][]error{}, Inside: map[int]context.Context{}}}
}

// Do performs the call.
func (w *Twin) Do(ctx context.Context, call *sp.Call) error {
	f, n := w.Forks, w.number
	f.mu.Lock()
	f.Performed = append(f.Performed, n)
	f.Inside[n] = ctx
	f.mu.Unlock()
	call.OnFinish(func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.Hooked[n] = append(f.Hooked[n], err)
	})
	if n == 0 {
		f.Adopted = 0
	}
	err := w.Act(ctx, call, n)
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnknown)
	}
	return err
}

// Discard notes whose result was thrown away.
func (w *Twin) Discard() {
	w.Forks.mu.Lock()
	defer w.Forks.mu.Unlock()
	w.Forks.Discarded = append(w.Forks.Discarded, w.number)
}

// Fork returns the next fork.
func (w *Twin) Fork() attach.Performer {
	w.Forks.mu.Lock()
	defer w.Forks.mu.Unlock()
	w.Forks.Made++
	return &Twin{Act: w.Act, number: w.Forks.Made, Forks: w.Forks}
}

// Adopt notes whose result is the call's.
func (w *Twin) Adopt(winner attach.Performer) { w.Forks.Adopted = winner.(*Twin).number }

// ReadOnly returns a call that may be hedged.
func ReadOnly(ctx context.Context, operation attach.Performer) *sp.Call {
	return Statement(sp.WithReadOnly(ctx), sp.OpQuery, "SELECT name FROM users WHERE id = $1", operation)
}

// Sleeps waits for d, or until the context ends.
func Sleeps(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
