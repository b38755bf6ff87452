package sessionproxy_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
)

// desk holds something for calls, and writes down what happens to it.
type desk struct {
	name string
	log  *[]string
	err  error // of Resume
}

func (d *desk) Yield(*sp.Call) { *d.log = append(*d.log, "yield "+d.name) }

func (d *desk) Resume(context.Context, *sp.Call) error {
	*d.log = append(*d.log, "resume "+d.name)
	return d.err
}

func (d *desk) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		call.Hold(d, func(error) { *d.log = append(*d.log, "finish "+d.name) })
		return next(ctx, call)
	}
}

var errElsewhere = errors.New("elsewhere")

func TestACallThatWaitsGivesBackWhatIsHeldForIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		waiting error // of the wait
		resume  error // of the outer desk
		want    []string
		err     error
	}{
		"granted":       {nil, nil, []string{"yield b", "yield a", "resume a", "resume b", "finish b", "finish a"}, nil},
		"refused":       {errElsewhere, nil, []string{"yield b", "yield a"}, errElsewhere},
		"not got again": {nil, errElsewhere, []string{"yield b", "yield a", "resume a"}, errElsewhere},
	} {
		var log []string
		outer, inner := &desk{"a", &log, c.resume}, &desk{"b", &log, nil}
		wait := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				if err := call.Wait(ctx, func(context.Context) error { return c.waiting }); err != nil {
					return err
				}
				return next(ctx, call)
			}
		})
		call, _ := newCall(nil)
		_, err := call.Run(t.Context(), sp.NewChain(outer, inner, wait).Then(sp.Perform))
		if !errors.Is(err, c.err) || !slices.Equal(log, c.want) {
			t.Errorf("%s: %v, %v, want %v, %v", name, log, err, c.want, c.err)
		}
	}
}

// TestABeginGivesBackWhatItsUnitHolds waits in the BEGIN of a unit of work; a
// statement in the unit has the unit's connection, and leaves it alone.
func TestABeginGivesBackWhatItsUnitHolds(t *testing.T) {
	t.Parallel()
	for op, want := range map[sp.Op][]string{
		sp.OpBegin: {"yield unit", "resume unit", "finish unit"},
		sp.OpExec:  {"finish unit"},
	} {
		var log []string
		chain := sp.NewChain(&desk{name: "unit", log: &log})
		unit, _ := newCall(func(ctx context.Context, unit *sp.Call) error {
			inner, _ := newCall(func(ctx context.Context, inner *sp.Call) error {
				return inner.Wait(ctx, func(context.Context) error { return nil })
			})
			inner.Op = op
			inner.Bind(sp.ContextWithCall(ctx, unit))
			_, err := inner.Run(ctx, sp.Perform)
			return err
		})
		unit.Op = sp.OpTransaction
		if _, err := unit.Run(t.Context(), chain.Then(sp.Perform)); err != nil || !slices.Equal(log, want) {
			t.Errorf("%v: %v, %v, want %v", op, log, err, want)
		}
	}
}
