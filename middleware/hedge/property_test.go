package hedge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
)

// check compares how a hedged call ended with its heats. What wins in a photo
// finish is left open.
func check(heats [2]linktest.Heat, f *linktest.Forkings, open, panicked bool, err error) error {
	for n := range f.Made {
		if got := f.Hooked[n+1]; (len(got) != 1) != (open && f.Adopted == n+1) {
			return fmt.Errorf("hooks of attempt %d ran with %v", n+1, got)
		}
	}
	if panicked {
		for n := range f.Made {
			if heats[n].Ends == linktest.Breaks {
				return nil
			}
		}
		return errors.New("nobody panicked")
	}
	if f.Adopted < 1 || f.Adopted > f.Made {
		return fmt.Errorf("adopted %d of %d", f.Adopted, f.Made)
	}
	won := heats[f.Adopted-1]
	if slices.Contains(f.Discarded, f.Adopted) {
		return errors.New("the result of the call is thrown away")
	}
	switch {
	case open != (err == nil && won.Ends == linktest.LeavesOpen):
		return fmt.Errorf("open %v, error %v", open, err)
	case open && f.Inside[f.Adopted].Err() != nil:
		return errors.New("the context of the result is over")
	case err != nil && f.Made == 2 && !errors.Is(err, linktest.ErrUnique) && (heats[0].Ends == linktest.Succeeds || heats[0].Ends == linktest.LeavesOpen) && heats[1].Ends != linktest.Answers:
		return fmt.Errorf("error %w, though the first attempt would have succeeded", err)
	case err != nil && !errors.Is(err, linktest.ErrDriver) && !errors.Is(err, linktest.ErrUnique):
		return fmt.Errorf("error %w is that of nobody", err)
	}
	return nil
}

func TestWhateverTheAttemptsDoOneOutcomeIsTheCalls(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		heats := [2]linktest.Heat{linktest.DrawHeat(rt), linktest.DrawHeat(rt)}
		retries := rapid.Bool().Draw(rt, "retry outside")
		var problem error
		synctest.Test(t, func(t *testing.T) {
			op := linktest.NewTwin(func(ctx context.Context, call *sp.Call, n int) error { return heats[(n-1)%2].Run(ctx, call) })
			var chain sp.Chain
			if retries {
				chain = chain.Append(linktest.Retrying(1))
			}
			h := chain.Append(hedging(t)).Then(attach.Perform)
			call, finished, start := linktest.ReadOnly(t.Context(), op), 0, time.Now()
			call.OnFinish(func(error) { finished++ })
			open, err, panicked := linktest.RunCaught(call, h)
			problem = check(heats, op.Forks, open, panicked, err)
			if problem == nil && op.Forks.Made == 2 != (heats[0].Takes > 1000) && heats[0].Takes != 1000 {
				problem = fmt.Errorf("%d attempts, the first after %d ms", op.Forks.Made, heats[0].Takes)
			}
			if open {
				attach.Finish(call, nil)
			}
			if problem == nil && finished != 1 {
				problem = fmt.Errorf("finished %d times", finished)
			}
			if longest := max(linktest.Milliseconds(heats[0].Takes), time.Second+linktest.Milliseconds(heats[1].Takes)); problem == nil && time.Since(start) > longest {
				problem = fmt.Errorf("it took %v", time.Since(start))
			}
			if v := call.Verdict(err); problem == nil && errors.Is(err, linktest.ErrUnique) && v.Class != fault.ClassIntegrity {
				problem = fmt.Errorf("verdict %+v", v)
			}
		})
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}
