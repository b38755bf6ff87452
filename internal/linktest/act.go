package linktest

import (
	"context"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// An Act is what one performance of an operation does.
type Act string

// What an operation may do.
const (
	Succeeds   Act = "succeeds"
	LeavesOpen Act = "leaves its result open"
	Fails      Act = "fails"
	Answers    Act = "answers with an error"
	Breaks     Act = "panics"
	Waits      Act = "waits for the end of its context"
)

// Heat is how one attempt of a hedged call goes, if it is left alone. Times are
// in milliseconds; the second attempt starts at 1000.
type Heat struct {
	// Takes is how long it takes.
	Takes int
	// Ends is what it does then.
	Ends     Act
	stubborn bool // it does not heed its context
}

// DrawHeat makes up a heat.
func DrawHeat(t *rapid.T) Heat {
	return Heat{
		Takes:    rapid.IntRange(0, 3000).Draw(t, "takes"),
		Ends:     rapid.SampledFrom([]Act{Succeeds, LeavesOpen, Fails, Answers, Breaks}).Draw(t, "ends"),
		stubborn: rapid.Bool().Draw(t, "stubborn"),
	}
}

// Run is the attempt.
func (h Heat) Run(ctx context.Context, call *sp.Call) error {
	if h.stubborn {
		time.Sleep(Milliseconds(h.Takes))
	} else if err := Sleeps(ctx, Milliseconds(h.Takes)); err != nil {
		return err
	}
	switch h.Ends {
	case LeavesOpen:
		attach.KeepOpen(call)
	case Fails:
		return ErrDriver
	case Answers:
		return ErrUnique
	case Breaks:
		panic("driver")
	}
	return nil
}

// Milliseconds returns so many.
func Milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }
