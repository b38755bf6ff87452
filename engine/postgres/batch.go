package postgres

import (
	"errors"

	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

var _ backend.Batcher = (*conn)(nil)

// BatchFuncs implements [backend.Batcher].
func (c *conn) BatchFuncs(fns []func()) {
	if c.tx == nil {
		for _, fn := range fns {
			fn()
		}
		return
	}
	gathered := make([]func(on *pgxdb.Gathering), len(fns))
	for i, fn := range fns {
		gathered[i] = func(on *pgxdb.Gathering) {
			c.gather = on
			fn()
		}
	}
	pgxdb.Together(c.tx, gathered)
	c.gather = nil
}

// gathering returns where a statement waits to be sent with others, or nil if
// it can't be. pgx prepares all statements of a batch before it runs the first,
// so a statement that may change the meaning of others goes alone.
func (c *conn) gathering(q backend.BoundStatement) *pgxdb.Gathering {
	g := c.gather
	if g == nil || !g.Open() {
		return nil
	}
	if !q.Data || c.tx == nil {
		c.alone()
		return nil
	}
	return g
}

// alone sends the gathered statements, before something that can't be sent with
// them.
func (c *conn) alone() {
	if g := c.gather; g != nil && g.Open() {
		g.Alone()
	}
}

// aborted translates the error of a statement that was not run.
func aborted(err error) error {
	if e, ok := errors.AsType[*pgxdb.PipelineAbortedError](err); ok {
		return &backend.PipelineAbortedError{Cause: explain(e.Cause)}
	}
	return err
}
