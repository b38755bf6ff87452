package middleware_test

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
	"github.com/sessionproxy/sessionproxy/fault"
)

// heat is how one attempt of a hedged call goes, if it is left alone. Times are
// in milliseconds; the second attempt starts at 1000.
type heat struct {
	takes    int
	ends     act
	stubborn bool // it does not heed its context
}

func drawHeat(t *rapid.T) heat {
	return heat{
		takes:    rapid.IntRange(0, 3000).Draw(t, "takes"),
		ends:     rapid.SampledFrom([]act{succeeds, leavesOpen, fails, answers, breaks}).Draw(t, "ends"),
		stubborn: rapid.Bool().Draw(t, "stubborn"),
	}
}

func (h heat) run(ctx context.Context, call *sp.Call) error {
	if h.stubborn {
		time.Sleep(ms(h.takes))
	} else if err := sleeps(ctx, ms(h.takes)); err != nil {
		return err
	}
	switch h.ends {
	case leavesOpen:
		call.KeepOpen()
	case fails:
		return errDriver
	case answers:
		return unique
	case breaks:
		panic("driver")
	}
	return nil
}

// check compares how a hedged call ended with its heats. What wins in a photo
// finish is left open.
func check(heats [2]heat, f *forkings, open, panicked bool, err error) error {
	for n := range f.made {
		if got := f.hooked[n+1]; (len(got) != 1) != (open && f.adopted == n+1) {
			return fmt.Errorf("hooks of attempt %d ran with %v", n+1, got)
		}
	}
	if panicked {
		for n := range f.made {
			if heats[n].ends == breaks {
				return nil
			}
		}
		return errors.New("nobody panicked")
	}
	if f.adopted < 1 || f.adopted > f.made {
		return fmt.Errorf("adopted %d of %d", f.adopted, f.made)
	}
	won := heats[f.adopted-1]
	if slices.Contains(f.discarded, f.adopted) {
		return errors.New("the result of the call is thrown away")
	}
	switch {
	case open != (err == nil && won.ends == leavesOpen):
		return fmt.Errorf("open %v, error %v", open, err)
	case open && f.inside[f.adopted].Err() != nil:
		return errors.New("the context of the result is over")
	case err != nil && f.made == 2 && !errors.Is(err, unique) && (heats[0].ends == succeeds || heats[0].ends == leavesOpen) && heats[1].ends != answers:
		return fmt.Errorf("error %w, though the first attempt would have succeeded", err)
	case err != nil && !errors.Is(err, errDriver) && !errors.Is(err, unique):
		return fmt.Errorf("error %w is that of nobody", err)
	}
	return nil
}

func TestWhateverTheAttemptsDoOneOutcomeIsTheCalls(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		heats := [2]heat{drawHeat(rt), drawHeat(rt)}
		retries := rapid.Bool().Draw(rt, "retry outside")
		var problem error
		synctest.Test(t, func(t *testing.T) {
			op := newTwin(func(ctx context.Context, call *sp.Call, n int) error { return heats[(n-1)%2].run(ctx, call) })
			var chain sp.Chain
			if retries {
				chain = chain.Append(retrying(1))
			}
			h := chain.Append(hedging(t)).Then(sp.Perform)
			call, finished, start := reading(t.Context(), op), 0, time.Now()
			call.OnFinish(func(error) { finished++ })
			open, err, panicked := runCaught(call, h)
			problem = check(heats, op.forks, open, panicked, err)
			if problem == nil && op.forks.made == 2 != (heats[0].takes > 1000) && heats[0].takes != 1000 {
				problem = fmt.Errorf("%d attempts, the first after %d ms", op.forks.made, heats[0].takes)
			}
			if open {
				call.Finish(nil)
			}
			if problem == nil && finished != 1 {
				problem = fmt.Errorf("finished %d times", finished)
			}
			if longest := max(ms(heats[0].takes), second+ms(heats[1].takes)); problem == nil && time.Since(start) > longest {
				problem = fmt.Errorf("it took %v", time.Since(start))
			}
			if v := call.Verdict(err); problem == nil && errors.Is(err, unique) && v.Class != fault.ClassIntegrity {
				problem = fmt.Errorf("verdict %+v", v)
			}
		})
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}
