package pgxdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// PipelineAbortedError is the error of a statement that was sent with others,
// after one that failed: the server has not run it.
type PipelineAbortedError struct {
	// Cause is the error of the first statement that failed.
	Cause error
}

// Error says that the statement did not run, and why.
func (e *PipelineAbortedError) Error() string {
	return "pgxdb: not run, because a statement before it in the same round trip failed: " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *PipelineAbortedError) Unwrap() error { return e.Cause }

// Is reports whether target is [fault.ErrRejected]: like a refused statement,
// this one did nothing and says nothing about the server.
func (*PipelineAbortedError) Is(target error) bool { return target == fault.ErrRejected }

// BatchFuncs calls functions, each of which runs one statement on the connection
// it is given, and sends these statements in one round trip instead of one by
// one. Each statement passes through the chain as a call of its own, with its
// own result and error; after the first that fails, the others fail with a
// [*PipelineAbortedError].
//
// The functions run on separate goroutines, one at a time: the second begins
// when the first waits for its answer, and once the answers have arrived the
// first continues to its end before the second does. If a function runs several
// statements, or calls [BatchConn.Alone] first, its statements are sent
// separately, after those that wait. BatchFuncs returns when all functions have
// returned; it does not recover their panics.
//
// A statement whose context has ended when the others are sent is left out; if
// its context ends while they are running, all of them end, and so does the
// connection, as with pgx.
//
// tx is a [*Tx], or pgx's own type, for an empty chain.
func BatchFuncs(tx pgx.Tx, fns []func(on *BatchConn)) {
	c := &coordinator{tx: tx}
	on := executor{pipeline: bare, conn: tx.Conn(), tx: true}
	if t, ok := tx.(*Tx); ok {
		c.tx, on = t.inner, t.executor
	}
	for _, fn := range fns {
		m := &member{of: c, came: make(chan bool), answer: make(chan answer), finished: make(chan struct{})}
		go func() {
			defer close(m.finished)
			g := &BatchConn{executor: on, member: m}
			g.raw = memberQuerier{m}
			fn(g)
		}()
		select {
		case <-m.came:
			c.waiting = append(c.waiting, m)
		case <-m.finished:
		}
	}
	c.flush()
}

// bare is the pipeline of an empty chain.
var bare = newPipeline(sp.NewChain(), config{}, nil)

// BatchConn runs the statements of a function of [BatchFuncs]. Only that function
// may use it.
type BatchConn struct {
	executor
	member *member
}

// Exec runs a statement without reading rows, as [Tx.Exec] does; the statement waits for others.
func (g *BatchConn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return g.exec(ctx, sql, args)
}

// Query runs a query, as [Tx.Query] does; the statement waits for others.
func (g *BatchConn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return g.query(ctx, sql, args)
}

// Open reports whether a statement would wait for others: the function has not
// run any yet.
func (g *BatchConn) Open() bool { return !g.member.alone && !g.member.asked }

// Alone sends the statements that wait, so that the function can use the
// transaction directly, for anything that can't be sent with others. Statements
// that it runs from then on are sent separately.
func (g *BatchConn) Alone() {
	if m := g.member; !m.alone {
		m.alone = true
		m.of.flush()
	}
}

// coordinator collects statements. Its functions run one at a time, and so do
// its methods.
type coordinator struct {
	tx      pgx.Tx    // below the chain
	waiting []*member // in the order of their statements
}

// member is a function and its statement.
type member struct {
	of       *coordinator
	came     chan bool     // it has a statement, and waits
	answer   chan answer   // what came of it
	finished chan struct{} // the function has returned

	ctx   context.Context // the statement's
	sql   string
	args  []any
	rows  bool
	asked bool // it has a statement, or had
	alone bool // it sends what it has by itself
	size  int  // how many statements travelled with its own
}

// answer is what a member is told: rows, or that it is to send its statement by
// itself.
type answer struct {
	rows   pgx.Rows
	tag    pgconn.CommandTag
	err    error
	direct bool
}

// flush sends what waits, and lets the functions go on one by one.
func (c *coordinator) flush() {
	waiting := c.waiting
	c.waiting = nil
	if len(waiting) == 1 {
		waiting[0].finish(answer{direct: true})
		return
	}
	sent := waiting[:0:0]
	for _, m := range waiting {
		if m.ctx.Err() == nil {
			sent = append(sent, m)
		}
	}
	results := &roundTrip{coordinator: c, left: sent}
	for _, m := range waiting {
		if m.ctx.Err() != nil && !slices.Contains(sent, m) {
			m.finish(answer{err: context.Cause(m.ctx)})
			continue
		}
		m.size = len(sent)
		m.finish(results.next(m))
		results.heard(m)
	}
	results.close()
}

// finish tells a member what came of its statement and waits for its function.
func (m *member) finish(a answer) {
	m.alone = true // what it still sends, it sends by itself
	m.answer <- a
	<-m.finished
}

// roundTrip are the results of statements that travelled together.
type roundTrip struct {
	*coordinator
	left    []*member
	results pgx.BatchResults // nil: not sent yet
	stop    context.CancelCauseFunc
	watches []func() bool
	reading *watchedRows // what the last member was given
	failed  error        // of the first that did
}

// next returns the answer to the next statement.
func (g *roundTrip) next(m *member) answer {
	if g.results == nil {
		g.send()
	}
	if g.failed != nil {
		return answer{err: &PipelineAbortedError{g.failed}}
	}
	if !m.rows {
		tag, err := g.results.Exec()
		return answer{tag: tag, err: g.note(m, err)}
	}
	rows, err := g.results.Query()
	if err = g.note(m, err); err != nil {
		return answer{err: err}
	}
	g.reading = &watchedRows{Rows: rows}
	return answer{rows: g.reading}
}

// note remembers the first failure. A statement that could not be prepared fails
// before any is run: others than it are told that they were not.
func (g *roundTrip) note(m *member, err error) error {
	if err == nil {
		return nil
	}
	if early, ok := errors.AsType[pgx.ErrPreprocessingBatch](err); ok && early.SQL() != m.sql {
		return &PipelineAbortedError{err}
	}
	g.failed = err
	return err
}

// heard learns from the rows that a member has read whether they failed.
func (g *roundTrip) heard(m *member) {
	if g.reading != nil {
		g.reading.Close()
		_ = g.note(m, g.reading.Err())
		g.reading = nil
	}
}

// send sends the statements. Their contexts end the round trip, each of them.
func (g *roundTrip) send() {
	var ctx context.Context
	ctx, g.stop = context.WithCancelCause(context.WithoutCancel(g.left[0].ctx))
	b := &pgx.Batch{}
	var last <-chan struct{}
	for _, m := range g.left {
		b.Queue(m.sql, m.args...)
		if done := m.ctx.Done(); done != nil && done != last {
			last = done
			g.watches = append(g.watches, context.AfterFunc(m.ctx, func() { g.stop(context.Cause(m.ctx)) }))
		}
	}
	g.results = g.tx.SendBatch(ctx, b)
}

func (g *roundTrip) close() {
	if g.results == nil {
		return
	}
	_ = g.results.Close() // every error was some member's
	for _, stop := range g.watches {
		stop()
	}
	g.stop(nil)
}

// watchedRows are rows whose reader may forget to close them.
type watchedRows struct{ pgx.Rows }

// memberQuerier is where a member's statements go, below the chain.
type memberQuerier struct{ m *member }

var _ querier = memberQuerier{}

// wait hands a statement over and waits for its answer. It returns nil if it is
// to be sent by itself.
func (g memberQuerier) wait(ctx context.Context, sql string, args []any, rows bool) *answer {
	m := g.m
	if m.alone || m.asked {
		return nil
	}
	m.asked = true
	m.ctx, m.sql, m.args, m.rows = ctx, sql, args, rows
	m.came <- true
	a := <-m.answer
	if a.direct {
		return nil
	}
	return &a
}

func (g memberQuerier) raw() pgx.Tx { return g.m.of.tx }

func (g memberQuerier) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	a := g.wait(ctx, sql, args, false)
	if a == nil {
		return g.raw().Exec(ctx, sql, args...)
	}
	return a.tag, a.err
}

func (g memberQuerier) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	a := g.wait(ctx, sql, args, true)
	if a == nil {
		return g.raw().Query(ctx, sql, args...)
	}
	if a.err != nil {
		return &failedRows{err: a.err, closed: true}, a.err
	}
	return a.rows, nil
}

func (g memberQuerier) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := g.Query(ctx, sql, args...)
	if err != nil {
		return failedRow{err}
	}
	return &memberRow{rows}
}

func (g memberQuerier) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return pgx.FailedBatchResults(b, errNotBatchable("a batch"))
}

func (g memberQuerier) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, errNotBatchable("COPY")
}

func errNotBatchable(what string) error {
	return fmt.Errorf("pgxdb: batch functions: %s can't be sent with others: use Alone", what)
}

// memberRow is the first of rows.
type memberRow struct{ rows pgx.Rows }

// Scan is the method of [pgx.Row].
func (r *memberRow) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// travelled reports, of a statement that was sent with others, how many they
// were.
func (s *stmtCall) travelled() {
	if g, ok := s.on.(memberQuerier); ok && g.m.size > 1 {
		s.Event(sp.Event{Kind: sp.EventPipelined, Attempt: g.m.size})
	}
}
