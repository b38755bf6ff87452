package middleware

import (
	"context"
	"errors"
	"fmt"
	"math"

	sp "github.com/sessionproxy/sessionproxy"
)

// RecoverOption configures [Recover].
type RecoverOption interface {
	applyRecover(c *recoverConfig) error
}

type recoverOptionFunc func(*recoverConfig) error

func (f recoverOptionFunc) applyRecover(c *recoverConfig) error { return f(c) }

type recoverConfig struct {
	passes [math.MaxUint8 + 1]bool // by operation: panics are let through
	report func(context.Context, *PanicError)
}

// defaultRecoverConfig recovers everywhere and reports to nobody.
func defaultRecoverConfig() recoverConfig { return recoverConfig{} }

// WithoutRecoverFor lets the panics of some operations pass. By default none
// does.
func WithoutRecoverFor(ops ...sp.Op) RecoverOption {
	return recoverOptionFunc(func(c *recoverConfig) error {
		if len(ops) == 0 {
			return errors.New("middleware: WithoutRecoverFor: want at least one operation")
		}
		for _, op := range ops {
			if !known(op) {
				return fmt.Errorf("middleware: WithoutRecoverFor(%v): want an operation of the catalogue", op)
			}
			c.passes[op] = true
		}
		return nil
	})
}

// WithOnPanic sets a function that gets each recovered panic, with the call's
// context, to tell those who track such things. It runs on the goroutine that
// panicked, before the call returns; it must not panic, and has to be safe for
// concurrent use.
func WithOnPanic(report func(ctx context.Context, p *PanicError)) RecoverOption {
	return recoverOptionFunc(func(c *recoverConfig) error {
		if report == nil {
			return errors.New("middleware: WithOnPanic(nil): want a function")
		}
		c.report = report
		return nil
	})
}
