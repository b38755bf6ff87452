package pgxdb

import (
	"context"

	"github.com/jackc/pgx/v5"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

var _ attach.Failer = (*stmtCall)(nil)

// DoFailing performs the call with a pgx that fails: whatever the pipeline does with
// pgx's error, it does with this one.
func (s *stmtCall) DoFailing(ctx context.Context, call *sp.Call, f attach.Failure) error {
	s.failure = &f
	defer func() { s.failure = nil }()
	return s.Do(ctx, call)
}

// Lost returns false: a connection that was lost is really closed, and pgx says so.
func (*stmtCall) Lost() bool { return false }

// fail stands in for perform.
func (s *stmtCall) fail(ctx context.Context, f *attach.Failure) error {
	if f.Rows > 0 && s.act == nil && s.call.Op == sp.OpQuery {
		return s.breakRows(ctx, f)
	}
	if f.After || s.call.Op == sp.OpRollback && !f.Lost {
		if err := s.perform(ctx); err != nil {
			return err
		}
		s.drop()
	}
	if f.Panic != nil {
		panic(f.Panic)
	}
	if s.call.Op == sp.OpCommit {
		return s.failCommit(ctx, f)
	}
	if f.Lost {
		s.lose()
	} else {
		s.spoil(f.Err)
	}
	return f.Err
}

// failCommit fails after a COMMIT, or in place of one: then the server has rolled
// back.
func (s *stmtCall) failCommit(ctx context.Context, f *attach.Failure) error {
	s.unit.Commit()
	switch {
	case f.Lost:
		s.lose()
	case !f.After:
		s.say("ROLLBACK")
	}
	return commitError(s.judge, ctx, f.Err)
}

// drop closes what the call has opened; its connection is still needed.
func (s *stmtCall) drop() {
	switch {
	case s.result != nil:
		s.result.discard()
		s.result = nil
	case s.first.rows != nil:
		s.first.rows.Close()
		s.first = firstRow{}
	}
}

// lose ends the connection as a network does, without a word to the server.
func (s *stmtCall) lose() { cut(s.conn) }

func cut(conn *pgx.Conn) {
	_ = conn.PgConn().Conn().Close()
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	_ = conn.PgConn().Close(ctx)
}

// spoil leaves an open transaction as the server leaves it after err.
func (s *stmtCall) spoil(err error) {
	if s.conn.PgConn().TxStatus() == 'T' && fault.Of(err, fault.Situation{InTx: true}).Tx != fault.TxOpen {
		s.say("ROLLBACK TO SAVEPOINT sptest_there_is_none")
	}
}

func (s *stmtCall) say(text string) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	_, _ = s.conn.PgConn().Exec(ctx, text).ReadAll()
}

// breakRows performs a query whose rows break off.
func (s *stmtCall) breakRows(ctx context.Context, f *attach.Failure) error {
	if err := s.query(ctx); err != nil {
		return err
	}
	left := f.Rows
	if s.first.more {
		left--
	}
	s.first.rows = &failingRows{Rows: s.first.rows, conn: s.conn, failure: *f, left: left}
	return nil
}

// failingRows are rows that break off.
type failingRows struct {
	pgx.Rows
	conn    *pgx.Conn
	failure attach.Failure
	left    int
	ended   bool
	struck  bool
}

// Next returns the rows that are left, and then fails. A result that has ended
// before did not break off.
func (r *failingRows) Next() bool {
	if r.ended || r.left > 0 {
		r.left--
		r.ended = r.ended || !r.Rows.Next()
		return !r.ended
	}
	r.ended, r.struck = true, true
	if r.failure.Struck != nil {
		r.failure.Struck()
	}
	if r.failure.Panic != nil {
		panic(r.failure.Panic)
	}
	if r.failure.Lost {
		cut(r.conn)
	}
	r.Rows.Close()
	return false
}

// Close closes the rows.
func (r *failingRows) Close() {
	r.ended = true
	r.Rows.Close()
}

// Err returns what the rows broke off with.
func (r *failingRows) Err() error {
	if r.struck {
		return r.failure.Err
	}
	return r.Rows.Err()
}
