package pgxdb

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Tx is a transaction, or a savepoint in one, whose operations pass through a
// chain. It is a [pgx.Tx] and used by one goroutine at a time.
type Tx struct {
	executor
	inner    pgx.Tx
	outer    *Tx // nil: a transaction; otherwise this is a savepoint in it
	acquired acquired
	begun    *stmtCall // the call of BEGIN, open until the end; nil: nobody waits
	ended    bool

	unitCall *unitCall // the unit of work whose transaction it is; nil: none
}

var _ pgx.Tx = (*Tx)(nil)

// cleanup bounds a ROLLBACK that the caller's context can't, since that is
// over or there is none.
const cleanup = 5 * time.Second

// begin begins a transaction.
func (e *executor) begin(ctx context.Context, opts pgx.TxOptions) (*Tx, error) {
	s := e.call(ctx, sp.OpBegin, "", nil)
	s.ReadOnly = readOnly(opts)
	s.act = func(ctx context.Context, s *stmtCall) error {
		inner, err := s.conn.BeginTx(ctx, opts)
		if err != nil {
			return err
		}
		s.result = &Tx{executor: executor{pipeline: s.pipeline, raw: inner, conn: s.conn, tx: true, node: s.call.Node}, inner: inner}
		s.keepOpen(ctx)
		return nil
	}
	open, err := s.run(ctx)
	if err == nil && !open {
		err = errNotPerformed(s.Op)
	}
	if err != nil {
		s.free()
		return nil, err
	}
	tx := s.result.(*Tx)
	tx.acquired = s.acquired
	if s.loose() {
		s.free()
	} else {
		tx.begun = s
	}
	return tx, nil
}

// readOnly reports whether the server refuses writes in a transaction that is
// begun so.
func readOnly(opts pgx.TxOptions) bool {
	return opts.AccessMode == pgx.ReadOnly && opts.BeginQuery == ""
}

// discard is part of result.
func (t *Tx) discard() { t.undo(context.Background()) }

// finalize is part of result: a transaction has nothing to tell.
func (t *Tx) finalize(*sp.Call) {}

// undo rolls back whatever the caller's context says. If ROLLBACK can't be
// sent, pgx closes the connection, and the server rolls back.
func (t *Tx) undo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	_ = t.inner.Rollback(ctx)
}

// Begin sets a savepoint and returns it as a transaction of its own, as
// [pgx.Tx] has it.
func (t *Tx) Begin(ctx context.Context) (pgx.Tx, error) {
	if t.over() {
		return nil, pgx.ErrTxClosed
	}
	var inner pgx.Tx
	err := t.perform(ctx, sp.OpSavepoint, "", func(ctx context.Context, _ *stmtCall) (err error) {
		inner, err = t.inner.Begin(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Tx{executor: executor{pipeline: t.pipeline, raw: inner, conn: t.conn, tx: true, unit: t.unit, node: t.node}, inner: inner, outer: t}, nil
}

// Commit commits the transaction, or releases the savepoint. The transaction
// is over, whatever is returned; once it is, the error is [pgx.ErrTxClosed]. If
// COMMIT was sent and its answer lost, the error matches
// [sp.ErrCommitUnknown]. If PostgreSQL rolled back instead, because a statement
// had failed before, it is [pgx.ErrTxCommitRollback].
func (t *Tx) Commit(ctx context.Context) error {
	if t.outer != nil {
		return t.end(ctx, sp.OpRelease, func(ctx context.Context, _ *stmtCall) error { return t.inner.Commit(ctx) })
	}
	return t.end(ctx, sp.OpCommit, t.commit)
}

// commit performs COMMIT and judges its error, which only here is known to be
// of something that was sent.
func (t *Tx) commit(ctx context.Context, s *stmtCall) error {
	s.dead = s.dead || ctx.Err() != nil
	if !s.dead {
		t.unit.Commit()
	}
	return commitError(s.judge, ctx, t.inner.Commit(ctx))
}

// commitError judges the error of a COMMIT, and marks it if nobody knows what
// came of the transaction.
func commitError(judge func(context.Context, error, fault.Phase) fault.Verdict, ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	v := judge(ctx, err, fault.PhaseCommit)
	if v.Outcome == fault.OutcomeUnknown && !errors.Is(err, fault.ErrCommitUnknown) {
		return &fault.CommitError{Err: err}
	}
	return err
}

// Rollback rolls the transaction back, or to the savepoint. The transaction is
// over, whatever is returned; once it is, the error is [pgx.ErrTxClosed].
func (t *Tx) Rollback(ctx context.Context) error {
	return t.end(ctx, sp.OpRollback, func(ctx context.Context, _ *stmtCall) error { return t.inner.Rollback(ctx) })
}

// end ends the transaction by an operation. Should an interceptor have refused
// it, the transaction is rolled back all the same: its connection goes back to
// where others use it.
func (t *Tx) end(ctx context.Context, op sp.Op, act func(context.Context, *stmtCall) error) (err error) {
	if t.over() {
		return pgx.ErrTxClosed
	}
	s := t.call(ctx, op, "", nil)
	s.act = act
	err = sp.ErrAborted // stays if the chain panics
	defer func() {
		if !s.performed {
			t.undo(ctx)
		}
		over := err
		if err != nil && s.performed && s.Verdict(err).Moot {
			over = nil // the transaction is rolled back, as was wanted
		}
		s.free()
		t.close(over)
		if t.outer == nil && op == sp.OpRollback {
			t.unit.Rollback()
		}
	}()
	_, err = s.run(ctx)
	return err
}

// close gives the connection back and finishes the call of BEGIN.
func (t *Tx) close(err error) {
	t.ended = true
	if t.unitCall != nil && t.acquired.conn != nil && errors.Is(err, fault.ErrCommitUnknown) {
		t.unitCall.keepSlot(t.acquired)
		if t.begun != nil {
			t.begun.outlived(t.acquired)
		}
		t.acquired = acquired{}
	}
	t.acquired.release()
	if begun := t.begun; begun != nil {
		t.begun = nil
		begun.end(err, nil)
	}
}

// over reports whether the transaction has ended, or one around it.
func (t *Tx) over() bool {
	for ; t != nil; t = t.outer {
		if t.ended {
			return true
		}
	}
	return false
}

// Exec is Exec of [pgx.Tx] through the chain.
func (t *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if t.over() {
		return pgconn.CommandTag{}, pgx.ErrTxClosed
	}
	return t.exec(ctx, sql, args)
}

// Query is Query of [pgx.Tx] through the chain; see [Pool.Query].
func (t *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if t.over() {
		return t.failed(pgx.ErrTxClosed, false)
	}
	return t.query(ctx, sql, args)
}

// QueryRow is QueryRow of [pgx.Tx] through the chain; see [Pool.QueryRow].
func (t *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if t.over() {
		return failedRow{pgx.ErrTxClosed}
	}
	return t.queryRow(ctx, sql, args)
}

// SendBatch is SendBatch of [pgx.Tx] through the chain; see [Conn.SendBatch].
func (t *Tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if t.over() {
		return pgx.FailedBatchResults(b, pgx.ErrTxClosed)
	}
	return t.sendBatch(ctx, b)
}

// CopyFrom is CopyFrom of [pgx.Tx] through the chain.
func (t *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	if t.over() {
		return 0, pgx.ErrTxClosed
	}
	return t.copyFrom(ctx, table, columns, src)
}

// Prepare is Prepare of [pgx.Tx] through the chain.
func (t *Tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if t.over() {
		return nil, pgx.ErrTxClosed
	}
	return t.prepare(ctx, name, sql, t.inner.Prepare)
}

// LargeObjects returns the large objects of the transaction. What you do with
// them bypasses the chain.
func (t *Tx) LargeObjects() pgx.LargeObjects { return t.inner.LargeObjects() }

// Conn returns pgx's own connection. What you do with it bypasses the chain.
func (t *Tx) Conn() *pgx.Conn { return t.inner.Conn() }

// Unwrap returns pgx's own transaction. It must not be ended.
func (t *Tx) Unwrap() pgx.Tx { return t.inner }
