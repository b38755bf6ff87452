package sptest

import (
	"context"
	"fmt"
	"time"
)

// WithUnitName sets the name of the unit in reports. The default is that of its
// function, with file and line.
func WithUnitName(name string) Option { return optionFunc(func(c *config) { c.name = name }) }

// WithRunTimeout sets how long a run of the unit may take: its context ends then.
// The default is 30 s.
func WithRunTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d <= 0 {
			c.err = fmt.Errorf("sptest: WithRunTimeout(%v): want more than 0", d)
			return
		}
		c.timeout = d
	})
}

// WithRival sets what another caller does, and commits, where the unit meets a
// conflict. It must not do the unit's work, as check counts it. It runs through the
// same handle, before the next call outside of a transaction, so the pool must have a
// second connection.
func WithRival[D any](rival func(ctx context.Context, db D) error) Option {
	return optionFunc(func(c *config) {
		if rival == nil {
			c.err = fmt.Errorf("sptest: WithRival(nil): want a function; WithoutRival has none")
			return
		}
		c.rival = func(ctx context.Context, db any) error {
			d, ok := db.(D)
			if !ok {
				return fmt.Errorf("sptest: WithRival: the function is for a %T, setup returns a %T", d, db)
			}
			return rival(ctx, d)
		}
	})
}

// WithoutRival says that nobody else changes anything where the unit meets a
// conflict.
func WithoutRival() Option { return optionFunc(func(c *config) { c.alone = true }) }
