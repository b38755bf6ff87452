package proxy

import (
	"errors"
	"fmt"
)

// errNoEngine is the answer to an awaited engine without a blocking one.
var errNoEngine = errors.New("proxy: make an awaited engine: the engine is nil")

// An EngineOption changes how an [AsyncEngine] works.
type EngineOption interface{ applyEngine(c *engineConfig) error }

type engineOptionFunc func(c *engineConfig) error

func (f engineOptionFunc) applyEngine(c *engineConfig) error { return f(c) }

type engineConfig struct {
	waiting    int // operations of a connection
	operations int // of the engine itself
	pipelining bool
}

func defaultEngineConfig() engineConfig {
	return engineConfig{waiting: 1024, operations: 1024, pipelining: true}
}

func newEngineConfig(opts []EngineOption) (engineConfig, error) {
	c := defaultEngineConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.applyEngine(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// maxPlaces bounds the options that say how much may wait.
const maxPlaces = 1 << 20

// WithConnectionQueue sets how many operations of one connection, or reads of
// one stream, may be under way or wait their turn: 1,024 by default, from 1 to
// 1,048,576. Asking for one more waits until one of them is through.
func WithConnectionQueue(n int) EngineOption {
	return engineOptionFunc(func(c *engineConfig) error {
		if n < 1 || n > maxPlaces {
			return fmt.Errorf("proxy: WithConnectionQueue: %d is not between 1 and %d", n, maxPlaces)
		}
		c.waiting = n
		return nil
	})
}

// WithEngineOperations sets how many operations of the engine itself may be
// under way or wait for a connection of the pool: 1,024 by default, from 1 to
// 1,048,576. Asking for one more waits until one of them is through. Those that
// are asked for inside of [AsyncEngine.RunInTx] do not count.
func WithEngineOperations(n int) EngineOption {
	return engineOptionFunc(func(c *engineConfig) error {
		if n < 1 || n > maxPlaces {
			return fmt.Errorf("proxy: WithEngineOperations: %d is not between 1 and %d", n, maxPlaces)
		}
		c.operations = n
		return nil
	})
}

// WithConnectionPipelining says whether statements of a connection's
// transaction that wait together are sent together, in one round trip, where
// the database can: PostgreSQL does. It is so by default. If one of them fails,
// those behind it fail with an [engine.PipelineAbortedError], as they would one
// by one in a transaction that is aborted.
func WithConnectionPipelining(on bool) EngineOption {
	return engineOptionFunc(func(c *engineConfig) error {
		c.pipelining = on
		return nil
	})
}
