package pgxdb

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

func (e *executor) sendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if e.bare(ctx, sp.OpBatch) || b == nil {
		return e.raw.SendBatch(ctx, b)
	}
	s := e.call(ctx, sp.OpBatch, batchText(b), nil)
	s.BatchSize = b.Len()
	if s.BatchSize == 1 {
		s.Args = attach.PlainArgs(b.QueuedQueries[0].Arguments)
	}
	s.act = func(ctx context.Context, s *stmtCall) error { return s.batch(ctx, b) }
	open, err := s.run(ctx)
	if err == nil && !open {
		err = errNotPerformed(s.Op)
	}
	if err != nil {
		defer s.free()
		return e.failedBatch(b, err, s.how, s.conn)
	}
	r := s.result.(*batchResults)
	r.acquired = s.acquired
	if tx := r.BatchResults.Tx(); tx != nil {
		s.outlived(r.acquired)
		r.tx = r.begun(tx)
	}
	r.call, r.stop = s, s.watch()
	return r
}

// batchText is the text of all statements if they have the same, otherwise
// their texts joined by "; ", as the semantic conventions want it.
func batchText(b *pgx.Batch) string {
	texts := make([]string, b.Len())
	uniform := true
	for i, q := range b.QueuedQueries {
		texts[i] = q.SQL
		uniform = uniform && q.SQL == texts[0]
	}
	if uniform && len(texts) > 0 {
		return texts[0]
	}
	return strings.Join(texts, "; ")
}

// batch sends the batch and reads up to the first row of its first statement.
func (s *stmtCall) batch(ctx context.Context, b *pgx.Batch) (err error) {
	own := s.batchFor(b)
	r := &batchResults{
		BatchResults: s.on.SendBatch(ctx, own), batch: own, callers: b,
		executor: executor{pipeline: s.pipeline, conn: s.conn, unit: s.unit, node: s.call.Node},
	}
	s.batched = own
	s.announceBatch()
	r.doubt = s.doubts > 0
	if b.Len() > 0 {
		if s.how, err = r.peek(); err != nil {
			closeUnheard(r.BatchResults, own)
			return err
		}
	}
	s.result = r
	s.keepOpen(ctx)
	return nil
}

// batchResults are pgx's results of a batch whose first statement was read up
// to its first row. They finish a call when they are closed.
type batchResults struct {
	pgx.BatchResults
	executor executor    // where the batch was sent, without its querier
	batch    *pgx.Batch  // the one that was sent
	callers  *pgx.Batch  // the one that the caller has: the same, or like it
	first    *batchRows  // the first statement's, until the caller asks for it
	spare    []batchRows // made at once, for the statements to come
	tx       *Tx         // the one that the batch began, or nil
	asked    int         // statements that the caller has asked for
	read     int64       // rows that the caller has read
	doubt    bool        // a statement may end a unit's transaction
	kept     int         // statements after which it goes on, as their answers say
	acquired acquired
	call     *stmtCall   // nil once finished
	stop     func() bool // stops the watch on the context; nil: none

	closed   bool
	closeErr error
	failed   error // the first error of a statement
}

// peek reads up to the first row of the first statement. If that fails it says
// how pgx tells its caller.
func (r *batchResults) peek() (batchFailure, error) {
	raw, err := r.BatchResults.Query()
	if err != nil && raw.Conn() == nil { // pgx did not come to the answers
		return failedEarly, err
	}
	if err != nil {
		return failedAtOnce, err
	}
	more := raw.Next()
	if !more && raw.Err() != nil {
		return failedLate, raw.Err()
	}
	r.first = r.wrap(raw)
	r.first.more, r.first.peeked = more, true
	return failedEarly, nil
}

// begun makes a transaction of the one that the batch began. It has the
// connection, if that was taken from a pool.
func (r *batchResults) begun(inner pgx.Tx) *Tx {
	e := r.executor
	e.raw, e.tx = inner, true
	tx := &Tx{executor: e, inner: inner, acquired: r.acquired}
	r.acquired = acquired{}
	return tx
}

// note reports how the statement asked for last has ended.
func (r *batchResults) note(tag pgconn.CommandTag, err error) error {
	if r.executor.unit != nil && goesOn(r.executor.unit, tag) {
		r.kept++
	}
	if err != nil && r.failed == nil {
		r.failed = err
		if r.call != nil {
			r.call.tell(sp.Event{Kind: sp.EventStatementFailed, Attempt: r.asked, Err: err})
		}
	}
	return err
}

// wrap returns rows of the batch around pgx's.
func (r *batchResults) wrap(raw pgx.Rows) *batchRows {
	const most = 64
	if len(r.spare) == 0 {
		r.spare = make([]batchRows, min(max(r.batch.Len()-r.asked, 1), most))
	}
	w := &r.spare[0]
	r.spare = r.spare[1:]
	w.Rows, w.of = raw, r
	return w
}

// next returns the rows of the next statement.
func (r *batchResults) next() (*batchRows, error) {
	r.asked++
	if first := r.first; first != nil {
		r.first = nil
		return first, nil
	}
	raw, err := r.BatchResults.Query()
	if err != nil {
		return nil, r.note(raw.CommandTag(), err)
	}
	return r.wrap(raw), nil
}

// Exec is the method of [pgx.BatchResults].
func (r *batchResults) Exec() (pgconn.CommandTag, error) {
	if r.first == nil {
		r.asked++
		tag, err := r.BatchResults.Exec()
		return tag, r.note(tag, err)
	}
	first, _ := r.next()
	first.rows.Close()
	return first.CommandTag(), r.note(first.CommandTag(), first.Err())
}

// Query is the method of [pgx.BatchResults].
func (r *batchResults) Query() (pgx.Rows, error) {
	rs, err := r.next()
	if err != nil {
		return r.executor.failed(err, false)
	}
	return rs, nil
}

// QueryRow is the method of [pgx.BatchResults].
func (r *batchResults) QueryRow() pgx.Row {
	rs, err := r.next()
	if err != nil {
		return failedRow{err}
	}
	return (*batchRow)(rs)
}

// Tx is the method of [pgx.BatchResults].
func (r *batchResults) Tx() pgx.Tx {
	if r.tx == nil {
		return nil
	}
	return r.tx
}

// Close is the method of [pgx.BatchResults]. If a function that was queued with the
// batch panics or ends its goroutine, the connection is left amid the answers, as by
// pgx; a pool gets it back to close it.
func (r *batchResults) Close() error {
	if r.closed {
		return r.closeErr
	}
	r.closed = true
	r.closeErr = sp.ErrAborted // stays if one of the functions does not return
	defer func() { r.ended(r.closeErr) }()
	lateCallbacks(r.batch, r.callers)
	err := r.callbacks()
	if cerr := r.BatchResults.Close(); err == nil {
		err = cerr
	}
	r.closeErr = err
	return err
}

// ended gives the connection back and finishes the call.
func (r *batchResults) ended(err error) {
	if r.failed == nil {
		r.failed = err
	}
	if r.doubt && (r.kept == r.batch.Len() || failing(r.executor.conn) && r.kept >= r.asked-1) {
		r.executor.unit.Clear()
	}
	if r.tx != nil && !inTx(r.executor.conn) {
		r.tx.close(err) // it never began
	}
	r.acquired.release()
	if s := r.call; s != nil {
		r.call = nil
		s.end(r.failed, r.stop)
	}
}

// callbacks does for the statements that nobody asked for what pgx's Close does:
// it calls the functions queued with them. pgx would for all but the first, and
// not let their answers be seen.
func (r *batchResults) callbacks() error {
	queued := r.batch.QueuedQueries
	for r.asked < len(queued) && r.failed == nil {
		fn := queued[r.asked].Fn
		if fn == nil {
			_, _ = r.Exec() // Close has the error
			continue
		}
		if err := fn(r); err != nil {
			for _, q := range queued[r.asked:] { // an error keeps the others from being called
				q.Fn = nil
			}
			return err
		}
	}
	return nil
}

func (r *batchResults) discard() { closeUnheard(r.BatchResults, r.batch) }

func (r *batchResults) finalize(call *sp.Call) { call.RowsReturned = r.read }

// batchRows are the rows of one statement of a batch.
type batchRows struct {
	rows
	of *batchResults
}

// Close closes the rows and notes how they ended.
func (b *batchRows) Close() {
	b.rows.Close()
	b.account()
}

// Next is the method of [pgx.Rows].
func (b *batchRows) Next() bool {
	if b.rows.Next() {
		return true
	}
	b.account()
	return false
}

// account counts the rows, once, when they have ended.
func (b *batchRows) account() {
	if b.of != nil {
		b.of.read += b.read
		_ = b.of.note(b.CommandTag(), b.Err())
		b.of = nil
	}
}

// batchRow is the row of one statement of a batch.
type batchRow batchRows

// Scan is the method of [pgx.Row].
func (b *batchRow) Scan(dest ...any) error {
	err := (*row)(&b.rows).Scan(dest...)
	b.of.read += b.rows.read
	if errors.Is(err, pgx.ErrNoRows) {
		_ = b.of.note(b.CommandTag(), nil)
		return err
	}
	_ = b.of.note(b.CommandTag(), err)
	return err
}
