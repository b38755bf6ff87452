package main

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Exec runs a statement on any connection and returns how many rows it changed.
func (db *DB) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	s := &statement{db: db, args: args}
	err := s.run(ctx, sessionproxy.OpExec, text)
	return s.call.RowsAffected, err
}

// Query runs a statement on any connection. The caller closes the rows.
func (db *DB) Query(ctx context.Context, text string, args ...any) (*Rows, error) {
	s := &statement{db: db, args: args}
	if err := s.run(ctx, sessionproxy.OpQuery, text); err != nil {
		return nil, err
	}
	return s.rows, nil
}

// statement performs the calls of statements.
type statement struct {
	call sessionproxy.Call
	db   *DB
	args []any
	tx   *Tx   // nil: each performance takes a connection of the pool
	rows *Rows // what a query leaves open
	done bool
}

// run describes the call and runs it.
func (s *statement) run(ctx context.Context, op sessionproxy.Op, text string) error {
	s.db.describe(ctx, &s.call, s, op)
	s.call.Text, s.call.Args = text, attach.PlainArgs(s.args)
	if s.tx == nil {
		s.call.Scope = sessionproxy.ScopePool // a retry gets another connection
	} else {
		s.call.InTx = op != sessionproxy.OpBegin
	}
	// If the call stays open, it belongs to its rows, or to its transaction.
	_, err := attach.Run(ctx, &s.call, s.db.handler)
	if err == nil && !s.done {
		return errNotPerformed
	}
	return err
}

// Do performs the call once. The SQL text is the call's, which an interceptor
// may have changed.
func (s *statement) Do(ctx context.Context, call *sessionproxy.Call) error {
	s.done = true
	if s.tx != nil {
		return s.send(ctx, call, s.tx.conn)
	}
	c, err := s.db.acquire(attach.Context(ctx, call))
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnsent)
		return err
	}
	fit := false // a connection on which the driver panics is not used again
	defer func() {
		if s.rows == nil {
			s.db.release(c, fit)
		}
	}()
	err = s.send(ctx, call, c)
	fit = err == nil || !call.Verdict(err).DiscardConn
	return err
}

// send has the connection run the statement, and judges its error here, where
// it is known what failed.
func (s *statement) send(ctx context.Context, call *sessionproxy.Call, c *conn) (err error) {
	switch call.Op {
	case sessionproxy.OpQuery:
		var raw driver.Rows
		if raw, err = c.query(ctx, call.Text, s.args); err == nil {
			s.rows = &Rows{raw: raw, of: s, conn: c, ctx: ctx}
			attach.KeepOpen(call)
		}
	case sessionproxy.OpExec:
		call.RowsAffected, err = c.exec(ctx, call.Text, s.args)
	default: // BEGIN, COMMIT, ROLLBACK
		_, err = c.exec(ctx, call.Op.String(), nil)
		if err == nil && call.Op == sessionproxy.OpBegin {
			attach.KeepOpen(call)
		}
	}
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnknown)
	}
	return err
}

// Discard closes what the last Do left open: an interceptor has refused the call
// after it succeeded.
func (s *statement) Discard() {
	switch {
	case s.rows != nil:
		_ = s.rows.end()
		s.rows = nil
	case s.call.Op == sessionproxy.OpBegin:
		_, _ = s.tx.conn.exec(context.Background(), sessionproxy.OpRollback.String(), nil)
	}
}

// Finalize writes down what is known only when the rows are closed.
func (s *statement) Finalize(err error) {
	if s.rows == nil {
		return
	}
	s.call.RowsReturned = s.rows.read
	if err != nil {
		s.call.Judge(s.rows.ctx, err, fault.PhaseRows, fault.ProgressAnswered)
	}
}

// Rows are the rows of a query.
type Rows struct {
	raw  driver.Rows
	of   *statement
	conn *conn
	ctx  context.Context
	read int64
	err  error
}

// Next reads a row into dest; after the last one it returns [io.EOF].
func (r *Rows) Next(dest []driver.Value) error {
	err := r.raw.Next(dest)
	switch {
	case err == nil:
		r.read++
	case !errors.Is(err, io.EOF):
		r.err = err
	}
	return err
}

// Close closes the rows, and with them ends the query's call.
func (r *Rows) Close() error {
	if r.raw == nil {
		return nil
	}
	err := r.end()
	failed := cmp.Or(r.err, err)
	attach.Finish(&r.of.call, failed)
	if tx := r.of.tx; tx != nil && failed != nil {
		tx.hear(&r.of.call, failed)
	}
	return err
}

// end closes the driver's rows and gives the connection back.
func (r *Rows) end() error {
	err := r.raw.Close()
	r.raw = nil
	if r.of.tx == nil {
		r.of.db.release(r.conn, err == nil && r.err == nil)
	}
	return err
}
