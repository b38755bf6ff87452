package profile

import (
	"context"
	"errors"
)

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	when func(ctx context.Context) bool // nil: always
}

func defaultConfig() config { return config{} }

// WithIf labels a call only if on returns true for its context: while a profile is
// taken, say. By default all calls are labelled. The function has to be safe for
// concurrent use, and must not block.
func WithIf(on func(ctx context.Context) bool) Option {
	return optionFunc(func(c *config) error {
		if on == nil {
			return errors.New("profile: WithIf(nil): want a function")
		}
		c.when = on
		return nil
	})
}
