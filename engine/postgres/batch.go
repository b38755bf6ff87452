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
	all := make([]func(on *pgxdb.BatchConn), len(fns))
	for i, fn := range fns {
		all[i] = func(on *pgxdb.BatchConn) {
			c.batch = on
			fn()
		}
	}
	pgxdb.BatchFuncs(c.tx, all)
	c.batch = nil
}

// batchConn returns where a statement waits to be sent with others, or nil if
// it can't be. pgx prepares all statements of a batch before it runs the first,
// so a statement that may change the meaning of others goes alone.
func (c *conn) batchConn(q backend.BoundStatement) *pgxdb.BatchConn {
	g := c.batch
	if g == nil || !g.Open() {
		return nil
	}
	if !q.Data || c.tx == nil {
		c.alone()
		return nil
	}
	return g
}

// alone sends the statements that wait, before something that can't be sent with
// them.
func (c *conn) alone() {
	if g := c.batch; g != nil && g.Open() {
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
