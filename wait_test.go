package sessionproxy_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
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
		_, err := attach.Run(t.Context(), call, sp.NewChain(outer, inner, wait).Then(attach.Perform))
		if !errors.Is(err, c.err) || !slices.Equal(log, c.want) {
			t.Errorf("%s: %v, %v, want %v, %v", name, log, err, c.want, c.err)
		}
	}
}
