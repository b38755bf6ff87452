package breaker_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
)

// atDoor returns a call that takes its connection from a pool.
func atDoor(ctx context.Context, op sp.Op, do script) *sp.Call {
	call := newCall(op, do)
	call.Scope = sp.ScopePool
	attach.Bind(ctx, call)
	return call
}

// doorRun passes a call through the chain.
func doorRun(ctx context.Context, r *rig, call *sp.Call) error {
	_, err := attach.Run(ctx, call, r.handler)
	return err
}

// TestNoCallIsLostAtTheDoor lets calls come, wait, give up, fail and panic at
// random: each ends, never are more at work than the steps allow, and a
// database that is back is found to be.
func TestNoCallIsLostAtTheDoor(t *testing.T) {
	t.Parallel()
	type visit struct {
		at, takes, patience int // in milliseconds; 0: no deadline
		ends                int
		unit                bool
	}
	rapid.Check(t, func(rt *rapid.T) {
		visits := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) visit {
			return visit{
				at: rapid.IntRange(0, 500).Draw(rt, "at"), takes: rapid.IntRange(0, 100).Draw(rt, "takes"),
				patience: rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 200)).Draw(rt, "patience"),
				ends:     rapid.IntRange(0, 4).Draw(rt, "ends"), unit: rapid.Bool().Draw(rt, "unit"),
			}
		}), 1, 40).Draw(rt, "visits")
		probes := rapid.IntRange(1, 20).Draw(rt, "probes")
		lease := time.Duration(rapid.IntRange(20, 400).Draw(rt, "lease")) * time.Millisecond
		problem := ""
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, breaker.WithProbes(probes), breaker.WithOpenTime(50*time.Millisecond), breaker.WithProbeLease(lease), breaker.WithMaxWait(300*time.Millisecond))
			r.open()
			var wg sync.WaitGroup
			for _, v := range visits {
				wg.Go(func() {
					defer func() { _ = recover() }()
					time.Sleep(time.Duration(v.at) * time.Millisecond)
					ctx := context.Background()
					if v.patience > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, time.Duration(v.patience)*time.Millisecond)
						defer cancel()
					}
					do := func(context.Context, *sp.Call) error {
						time.Sleep(time.Duration(v.takes) * time.Millisecond)
						return [...]error{nil, errRefused, io.ErrUnexpectedEOF, context.Canceled}[v.ends%4]
					}
					if v.ends == 4 {
						do = func(context.Context, *sp.Call) error { panic("driver") }
					}
					if v.unit {
						inner := do
						do = func(ctx context.Context, unit *sp.Call) error {
							return doorRun(ctx, r, atDoor(attach.Context(ctx, unit), sp.OpBegin, inner))
						}
						_ = doorRun(ctx, r, atDoor(ctx, sp.OpTransaction, do))
						return
					}
					_ = doorRun(ctx, r, atDoor(ctx, sp.OpExec, do))
				})
			}
			wg.Wait()
			time.Sleep(time.Second)
			for range probes {
				if err := r.run(atDoor(t.Context(), sp.OpExec, answer(nil))); err != nil {
					problem = fmt.Sprintf("a healthy database is refused: %v", err)
				}
			}
			if s := r.State(target); s != breaker.StateClosed {
				problem = fmt.Sprintf("the circuit is %v", s)
			}
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}
