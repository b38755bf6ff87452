package middleware

import (
	"context"
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
)

// ReadOnlyOption configures [ReadOnly].
type ReadOnlyOption interface {
	applyReadOnly(c *readOnlyConfig) error
}

type readOnlyOptionFunc func(*readOnlyConfig) error

func (f readOnlyOptionFunc) applyReadOnly(c *readOnlyConfig) error { return f(c) }

type readOnlyConfig struct {
	active func(context.Context) bool           // nil: always
	permit func(context.Context, *sp.Call) bool // nil: never
}

// defaultReadOnlyConfig guards always and makes no exception.
func defaultReadOnlyConfig() readOnlyConfig { return readOnlyConfig{} }

// WithReadOnlyIf has the guard at work only for calls with whose context
// active returns true, for instance while a switch is on. By default it always
// is. The function is asked up to twice per call; it must be quick, must not
// block, and has to be safe for concurrent use.
func WithReadOnlyIf(active func(ctx context.Context) bool) ReadOnlyOption {
	return readOnlyOptionFunc(func(c *readOnlyConfig) error {
		if active == nil {
			return errors.New("middleware: WithReadOnlyIf(nil): want a function")
		}
		c.active = active
		return nil
	})
}

// WithPermission lets through calls for which permit returns true, of those
// that would be refused. By default there is no exception. The function may
// look at the call and must not change it; it must not block and has to be
// safe for concurrent use.
func WithPermission(permit func(ctx context.Context, call *sp.Call) bool) ReadOnlyOption {
	return readOnlyOptionFunc(func(c *readOnlyConfig) error {
		if permit == nil {
			return errors.New("middleware: WithPermission(nil): want a function")
		}
		c.permit = permit
		return nil
	})
}
