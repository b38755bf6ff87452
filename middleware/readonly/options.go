package readonly

import (
	"context"
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
)

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	active func(context.Context) bool           // nil: always
	permit func(context.Context, *sp.Call) bool // nil: never
}

// defaultConfig guards always and makes no exception.
func defaultConfig() config { return config{} }

// WithIf applies the guard only to calls for whose context active returns true,
// for instance while a switch is on. By default it always applies. The function
// is called up to twice per call; it must be quick, must not block, and has to
// be safe for concurrent use.
func WithIf(active func(ctx context.Context) bool) Option {
	return optionFunc(func(c *config) error {
		if active == nil {
			return errors.New("readonly: WithIf(nil): want a function")
		}
		c.active = active
		return nil
	})
}

// WithPermission lets calls pass that would be refused but for which permit
// returns true. By default there is no exception. The function may inspect the
// call but must not change it; it must not block and has to be safe for
// concurrent use.
func WithPermission(permit func(ctx context.Context, call *sp.Call) bool) Option {
	return optionFunc(func(c *config) error {
		if permit == nil {
			return errors.New("readonly: WithPermission(nil): want a function")
		}
		c.permit = permit
		return nil
	})
}
