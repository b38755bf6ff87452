package sqldb

import (
	"context"
	"database/sql/driver"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// copying is a COPY that lib/pq has begun. The driver has a prepared statement
// stand for it: each execution adds a row, one without arguments or Close ends it,
// and only then the server says whether it was carried out. It is one call, from
// the statement's preparation to that answer.
type copying struct {
	call   *stmtCall // nil if nobody listens
	conn   *conn
	text   string
	ctx    context.Context //nolint:containedctx // of the last row, to tell how an abandoned COPY ended
	failed error           // with which the first row failed
	over   bool
}

// copies reports whether the statement that is to be prepared is a COPY of this
// kind. Outside of a transaction lib/pq refuses it.
func (c *conn) copies(query string) bool {
	return c.driver.copies && c.inTx() && sqltext.IsCopy(c.driver.tx.dialect, query)
}

// beginCopy prepares the statement, and with it begins the COPY.
func (s *stmtCall) beginCopy(ctx context.Context) (err error) {
	s.stmt, err = s.conn.driver.PrepareContext(ctx, s.Text)
	if err == nil && s.stmt.NumInput() < 0 { // it takes rows of any width
		attach.KeepOpen(&s.Call)
	}
	return err
}

// newCopying returns the COPY that s has begun with ctx. It gives s back if nobody waits
// for its end.
func newCopying(ctx context.Context, s *stmtCall) *copying {
	c := &copying{call: s, conn: s.conn, text: s.Text, ctx: ctx}
	c.conn.driver.copying = c.conn.driver.prepared
	if attach.Loose(&s.Call) {
		c.call = nil
		s.free()
	}
	return c
}

// open reports whether c is a COPY that has not ended.
func (c *copying) open() bool { return c != nil && !c.over }

// copyRow adds a row, or ends the COPY if there are no arguments.
func (s *driverStmt) copyRow(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.copying.ctx = ctx
	res, err := s.ExecContext(ctx, args)
	s.copying.note(ctx, err)
	if len(args) == 0 {
		s.copying.end(res, err)
	}
	return res, err
}

// endCopy closes a statement whose COPY nobody has ended. Closing it carries out
// what was sent so far; executing it without arguments does the same, and tells
// how many rows these were. For its call it was abandoned if a row had failed, or
// if the context of the last one is over: database/sql does not send a row whose
// context is.
func (s *driverStmt) endCopy() error {
	ctx := s.copying.ctx
	dead := s.conn.enter()
	res, err := s.exec(context.WithoutCancel(ctx), nil)
	if closed := s.raw.Close(); closed != nil { // the COPY had failed before
		err = closed
	}
	s.conn.leave()
	if err != nil {
		err = s.conn.guard(ctx, err, dead, false)
	}
	s.copying.note(ctx, err)
	if ctx.Err() != nil {
		s.copying.note(ctx, context.Cause(ctx))
	}
	s.copying.end(res, s.copying.failed)
	return err
}

// abandonCopy ends a COPY whose transaction is to be rolled back. lib/pq would
// send ROLLBACK in the midst of it, which costs the connection, and have two
// goroutines read the answer.
func (d *driverConn) abandonCopy() {
	if d.copying != nil {
		_ = d.copying.endCopy() // of which nothing stays
	}
}

// note takes note of an error. All that follow the first tell of the same.
func (c *copying) note(ctx context.Context, err error) {
	if err == nil || c.failed != nil {
		return
	}
	c.failed = err
	c.conn.noteFailure(err, c.text)
	if c.call != nil {
		c.call.judge(ctx, err, c.call.Op.Phase())
	}
}

// end finishes the call.
func (c *copying) end(res driver.Result, err error) {
	c.over, c.conn.driver.copying = true, nil
	if err == nil {
		c.conn.unit().Heard(nil, false)
	} else {
		err = c.failed
	}
	s := c.call
	if s == nil {
		return
	}
	if err == nil && res != nil {
		if n, rerr := res.RowsAffected(); rerr == nil {
			s.RowsAffected = n
		}
	}
	if attach.Finish(&s.Call, err) {
		s.free()
	}
}
