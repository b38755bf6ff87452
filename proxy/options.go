package proxy

import (
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// A MakerOption changes the sessions that a [Maker] makes. Every [AsyncOption] is
// one, with an effect on async sessions only.
type MakerOption interface{ applyMaker(m *Maker) error }

type makerOption func(m *Maker) error

func (f makerOption) applyMaker(m *Maker) error { return f(m) }

// An EngineOption changes how an [AsyncEngine] works. Every [AsyncOption] is one.
type EngineOption interface{ applyEngine(c *engineConfig) error }

type engineOption func(c *engineConfig) error

func (f engineOption) applyEngine(c *engineConfig) error { return f(c) }

// An AsyncOption changes the queue of an async session, or of a connection of an
// async engine.
type AsyncOption interface {
	MakerOption
	EngineOption
}

type asyncOption func(c *queueConfig) error

func (f asyncOption) applyMaker(m *Maker) error { return f(&m.awaited.queueConfig) }

func (f asyncOption) applyEngine(c *engineConfig) error { return f(&c.queueConfig) }

// queueConfig is what sessions and connections have in common.
type queueConfig struct {
	waiting    int // operations, at most
	pipelining bool
}

func defaultQueueConfig() queueConfig { return queueConfig{waiting: 1024, pipelining: true} }

// asyncConfig is the configuration of async sessions.
type asyncConfig struct {
	queueConfig
	meters  *asyncMeters
	session []orm.Option
}

func defaultAsyncConfig() asyncConfig { return asyncConfig{queueConfig: defaultQueueConfig()} }

// engineConfig is the configuration of an async engine.
type engineConfig struct {
	queueConfig     // of a connection
	operations  int // of the engine itself
}

func newEngineConfig(opts []EngineOption) (engineConfig, error) {
	c := engineConfig{queueConfig: defaultQueueConfig(), operations: 1024}
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

// places checks how much may wait.
func places(option string, n int) error {
	if n < 1 || n > maxPlaces {
		return fmt.Errorf("proxy: %s: %d is not between 1 and %d", option, n, maxPlaces)
	}
	return nil
}

// WithQueue sets how many operations of a session, of a connection or of one
// stream may be running or waiting: 1,024 by default, from 1 to 1,048,576. One
// more blocks until another has finished, or its context ends.
func WithQueue(n int) AsyncOption {
	return asyncOption(func(c *queueConfig) error {
		c.waiting = n
		return places("WithQueue", n)
	})
}

// WithPipelining sets whether statements of a transaction that wait at the same
// time are sent together, in one round trip, if the database supports it:
// PostgreSQL does. The default is true. Each statement has its own result, error,
// call and span; if one fails, those after it fail with an
// [engine.PipelineAbortedError], as they would one by one in a transaction that is
// aborted.
func WithPipelining(on bool) AsyncOption {
	return asyncOption(func(c *queueConfig) error {
		c.pipelining = on
		return nil
	})
}

// WithEngineOperations sets how many operations of the engine itself may be
// running or waiting for a connection of the pool: 1,024 by default, from 1 to
// 1,048,576. One more blocks until another has finished. Operations inside
// [AsyncEngine.RunInTx] do not count.
func WithEngineOperations(n int) EngineOption {
	return engineOption(func(c *engineConfig) error {
		c.operations = n
		return places("WithEngineOperations", n)
	})
}

// WithSession sets options of the sessions themselves.
func WithSession(opts ...orm.Option) MakerOption {
	return makerOption(func(m *Maker) error {
		m.awaited.session = append(m.awaited.session, opts...)
		return nil
	})
}

// WithTransaction sets the options of the transactions of [Maker.Run], such as
// their isolation level.
func WithTransaction(opts ...engine.TxOption) MakerOption {
	return makerOption(func(m *Maker) error {
		m.tx = append(m.tx, opts...)
		return nil
	})
}

// WithoutStaleReplay has [Maker.Run] return the [*orm.StaleDataError] of a row
// that others have changed, even with a retry in the chain: for units that show
// their caller what has changed. By default such a unit is replayed.
func WithoutStaleReplay() MakerOption {
	return makerOption(func(m *Maker) error {
		m.keepStale = true
		return nil
	})
}
