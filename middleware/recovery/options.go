package recovery

import (
	"context"
	"errors"
	"fmt"
	"math"

	sp "github.com/sessionproxy/sessionproxy"
)

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	passes [math.MaxUint8 + 1]bool // by operation: panics are let through
	report func(context.Context, *PanicError)
}

// defaultConfig recovers everywhere and reports to nobody.
func defaultConfig() config { return config{} }

// WithoutFor lets panics of some operations pass. By default all are recovered.
func WithoutFor(ops ...sp.Op) Option {
	return optionFunc(func(c *config) error {
		if len(ops) == 0 {
			return errors.New("recovery: WithoutFor: want at least one operation")
		}
		for _, op := range ops {
			if op.String() == sp.OpUnknown.String() {
				return fmt.Errorf("recovery: WithoutFor(%v): want an operation of the catalogue", op)
			}
			c.passes[op] = true
		}
		return nil
	})
}

// WithReport sets a function that gets each recovered panic, with the call's
// context, for error tracking. It runs on the goroutine that panicked, before
// the call returns; it must not panic, and has to be safe for concurrent use.
func WithReport(report func(ctx context.Context, p *PanicError)) Option {
	return optionFunc(func(c *config) error {
		if report == nil {
			return errors.New("recovery: WithReport(nil): want a function")
		}
		c.report = report
		return nil
	})
}
