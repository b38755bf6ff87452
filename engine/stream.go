package engine

import "fmt"

// A Stream is the result of a statement, with one window of rows in memory. It
// has the methods of [Rows]. It holds a connection until its last row is read
// or it is closed. You must close it:
//
//	stream, err := eng.Stream(ctx, engine.Text("SELECT … FROM big"))
//	…
//	defer stream.Close()
//	for row, err := range stream.Iter() {
//		…
//	}
//
// Closing it early does not read the rest.
type Stream struct{ Rows[Row] }

func newStream(d *Dialect, c Cursor, window int) *Stream {
	src := &windowed{cursor: c, cols: &columns{c.Columns(), d}, window: window}
	return &Stream{Rows: newRows(src)}
}

// A StreamOption configures how a [Stream] is read.
type StreamOption interface{ applyStream(c *streamConfig) error }

type streamOptionFunc func(c *streamConfig) error

func (f streamOptionFunc) applyStream(c *streamConfig) error { return f(c) }

type streamConfig struct{ window int }

// defaultWindow is how many rows a stream has in memory: enough for a round
// trip not to count, few enough for rows of many kilobytes.
const defaultWindow = 1000

// maxWindow bounds WithWindow.
const maxWindow = 1 << 24

func newStreamConfig(opts []StreamOption) (streamConfig, error) {
	c := streamConfig{window: defaultWindow}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.applyStream(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// WithWindow sets how many rows a stream reads at once: 1,000 by default, from
// 1 to 16,777,216.
func WithWindow(rows int) StreamOption {
	return streamOptionFunc(func(c *streamConfig) error {
		if rows < 1 || rows > maxWindow {
			return fmt.Errorf("engine: WithWindow: %d is not between 1 and %d", rows, maxWindow)
		}
		c.window = rows
		return nil
	})
}
