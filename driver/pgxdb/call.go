package pgxdb

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// querier is what statements run on: a connection or a transaction of pgx.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
}

// stmtCall is a call of a pool, a connection or a transaction: what pgx is to
// do, and its result.
type stmtCall struct {
	sp.Call
	*pipeline
	perCall
	abandoned atomic.Bool   // the result ended with its context
	dialed    atomic.Bool   // a connection was opened for it, by code that got its context
	telling   sync.Mutex    // guards told, and keeps the call from being abandoned while it is set
	told      chan struct{} // closed when an event has been told; nil: none is being told
	reported  atomic.Bool   // see late
	onDone    func()        // abandon, made once
}

// perCall is the part of a stmtCall that is forgotten when it is given back.
type perCall struct {
	pool     *pgxpool.Pool // where to take a connection; nil: on and conn are given
	on       querier
	conn     *pgx.Conn   // on, or what it runs on
	unit     *unit.State // of the unit of work it runs in; nil: none
	acquired acquired    // taken from pool
	dead     bool        // conn was closed before it was asked for anything

	args      []any
	rewritten string                                       // what a QueryRewriter has made of the text
	batched   *pgx.Batch                                   // the one that this attempt has sent
	doubts    int                                          // what was sent in a unit of work may end its transaction so often
	act       func(ctx context.Context, s *stmtCall) error // any operation but exec and query
	failure   *attach.Failure                              // of the attempt; nil: it does not fail by design

	call   *sp.Call  // the one that is performed: the embedded one, or a fork
	origin *stmtCall // the call that this one is a fork of, or nil

	// What came of it.
	performed bool
	stray     bool // a context, a call or a fork that knows the call may outlive it
	tag       pgconn.CommandTag
	first     firstRow
	how       batchFailure    // how a batch failed
	result    result          // what keeps the call open, if it does
	resultCtx context.Context // the one the result was made with
}

// result is what outlives a call's handler.
type result interface {
	// discard closes it: nobody will get it.
	discard()
	// finalize writes into the call what is known at the end.
	finalize(call *sp.Call)
}

// start describes a call.
func (p *pipeline) start(ctx context.Context, op sp.Op, text string, args []any) *stmtCall {
	s := p.calls.Get().(*stmtCall)
	s.Op, s.Text, s.args = op, text, args
	s.Args = attach.PlainArgs(args)
	s.Target = p.target.Load()
	attach.Bind(ctx, &s.Call)
	return s
}

// free gives the call back for use by others.
func (s *stmtCall) free() {
	if s.stray || s.dialed.Load() || s.abandoned.Load() {
		return // somebody may still look at it
	}
	s.perCall = perCall{}
	s.reported.Store(false)
	attach.Reset(&s.Call, s)
	s.calls.Put(s)
}

// loose reports whether nothing waits for the end of the call, which has just been
// returned open. The call of taking its connection goes on, and knows this one.
func (s *stmtCall) loose() bool {
	if !attach.Loose(&s.Call) {
		return false
	}
	s.outlived(s.acquired)
	return true
}

// outlived notes that the call of taking a connection, if it is one, may end after
// this call, which it is a step of.
func (s *stmtCall) outlived(by acquired) { s.stray = s.stray || by.call != nil }

// run passes the call through the chain. It reports whether the call's result
// is open.
func (s *stmtCall) run(ctx context.Context) (open bool, err error) {
	open, err = attach.Run(ctx, &s.Call, s.handler)
	if err == nil && !s.performed {
		err = errNotPerformed(s.Op)
	}
	return open, err
}

// finish runs a call that leaves nothing open.
func (s *stmtCall) finish(ctx context.Context) error {
	_, err := s.run(ctx)
	s.free()
	return err
}

// Do performs the call once.
func (s *stmtCall) Do(ctx context.Context, call *sp.Call) (err error) {
	s.call, s.performed = call, true
	s.rewritten, s.batched, s.doubts, call.Sent = "", nil, 0, ""
	if call.Attempt() > 1 {
		s.how = failedEarly
		s.late(false)
	}
	if s.traced {
		ctx, s.stray = attach.Context(ctx, call), true // the tracer may keep the context
	}
	if s.pool != nil {
		if err = s.take(ctx); err != nil {
			call.Judge(ctx, err, fault.PhaseAcquire, fault.ProgressUnsent)
			return err
		}
	}
	defer s.leave()
	call.Target = s.reached(s.conn)
	s.dead = s.conn != nil && s.conn.IsClosed()
	if s.failure == nil {
		err = s.perform(ctx)
	} else {
		err = s.fail(ctx, s.failure)
	}
	s.heard(err)
	if err != nil {
		call.Sent = s.sent()
		s.wentOn(err)
	}
	if err != nil && call.Op != sp.OpCommit { // which is judged by itself
		s.judge(ctx, err, call.Op.Phase())
	}
	return err
}

// perform has pgx do the call.
func (s *stmtCall) perform(ctx context.Context) error {
	switch {
	case s.act != nil:
		return s.act(ctx, s)
	case s.call.Op == sp.OpExec:
		return s.exec(ctx)
	default:
		return s.query(ctx)
	}
}

// heard tells the unit of work how a statement in its transaction ended. After an
// error that the server saw, it refuses all but ROLLBACK.
func (s *stmtCall) heard(err error) {
	if s.unit == nil {
		return
	}
	state := s.conn.PgConn().TxStatus()
	if err == nil && state == 'I' {
		return // it was the ROLLBACK
	}
	s.unit.Heard(err, err != nil && state != 'T')
}

// leave gives the connection back, unless the result holds it.
func (s *stmtCall) leave() {
	if !s.call.Open() {
		s.acquired.release()
	}
}

// judge keeps the verdict, and marks a connection that is not to be used
// again. What pgx says of an error being safe to repeat is not asked: see the
// hazard in docs/faults.md.
func (s *stmtCall) judge(ctx context.Context, err error, phase fault.Phase) fault.Verdict {
	progress := fault.ProgressUnknown
	if s.dead || phase != fault.PhaseCommit && s.unsent(err) {
		progress = fault.ProgressUnsent
	}
	v := s.call.Judge(ctx, err, phase, progress)
	if v.DiscardConn && s.conn != nil {
		s.conn.PgConn().CustomData()[unfit] = true
	}
	return v
}

// unsent reports whether it is certain that err came before the statement was
// sent: from its preparation, or from pgx itself, which closes the connection
// of a statement that was sent and not answered.
func (s *stmtCall) unsent(err error) bool {
	switch s.call.Op {
	case sp.OpExec, sp.OpQuery, sp.OpBatch, sp.OpCopy:
	default:
		return false
	}
	if _, ok := errors.AsType[*pgconn.PrepareError](err); ok {
		return true
	}
	if _, ok := errors.AsType[pgx.ErrPreprocessingBatch](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.PgError](err); ok || s.conn == nil || s.conn.IsClosed() || s.conn.PgConn().IsBusy() {
		return false
	}
	return s.call.Op != sp.OpBatch || s.how == failedEarly
}

func (s *stmtCall) exec(ctx context.Context) (err error) {
	s.tag, err = s.on.Exec(ctx, s.call.Text, s.arguments()...)
	s.travelled()
	if err == nil {
		s.call.RowsAffected = s.tag.RowsAffected()
		s.answered(s.tag)
	}
	return err
}

// keepOpen leaves the call open for a result that was made with ctx.
func (s *stmtCall) keepOpen(ctx context.Context) {
	s.resultCtx = ctx
	attach.KeepOpen(s.call)
}

// watch finishes the call when the context of its result is over, should
// nobody close the result: context.AfterFunc's goroutine runs beside the
// caller, who may still be reading, so it leaves the result itself alone. The
// function returned stops the watch; it is nil if there is none.
func (s *stmtCall) watch() (stop func() bool) {
	ctx := s.resultCtx
	if ctx.Done() == nil {
		return nil
	}
	return context.AfterFunc(ctx, s.onDone)
}

// abandon finishes a call whose result's context is over. From now on the call
// is not used again.
func (s *stmtCall) abandon() {
	s.telling.Lock()
	s.abandoned.Store(true)
	told := s.told
	s.telling.Unlock()
	if told != nil { // a listener is at work, which is to be quick
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-told:
		case <-timer.C:
		}
	}
	attach.Finish(&s.Call, context.Cause(s.resultCtx))
}

// tell reports an event of a result that the caller reads, unless the call was
// abandoned: its listeners are gone then, or going.
func (s *stmtCall) tell(e sp.Event) {
	s.telling.Lock()
	var tell func(sp.Event)
	if !s.abandoned.Load() {
		tell = attach.Teller(&s.Call)
	}
	if tell == nil {
		s.telling.Unlock()
		return
	}
	told := make(chan struct{})
	s.told = told
	s.telling.Unlock()
	defer func() {
		s.telling.Lock()
		s.told = nil
		s.telling.Unlock()
		close(told)
	}()
	tell(e)
}

// patience is how long the end of an abandoned call waits for a listener that
// blocks, against its contract: for ever would keep the connection.
const patience = time.Second

// end finishes a call whose result has ended, watched or not.
func (s *stmtCall) end(err error, stop func() bool) {
	unwatched := stop == nil || stop()
	if attach.Finish(&s.Call, err) && unwatched {
		s.free()
	}
}

// Discard closes what Do left open: the call failed after all.
func (s *stmtCall) Discard() {
	switch {
	case s.result != nil:
		s.result.discard()
		s.result = nil
	case s.first.rows != nil:
		s.first.rows.Close()
		s.first = firstRow{}
	}
	s.acquired.release()
}

// Finalize writes down what the result gave.
func (s *stmtCall) Finalize(err error) {
	if s.result != nil && !s.abandoned.Load() {
		s.result.finalize(&s.Call)
	}
	if err != nil && s.Op != sp.OpBegin && s.Op != sp.OpAcquire {
		if !s.abandoned.Load() { // otherwise the connection is at work beside this
			s.heard(err)
		}
		s.Judge(s.resultCtx, err, fault.PhaseRows, fault.ProgressAnswered)
	}
}

var _ attach.Forker = (*stmtCall)(nil)

// Fork returns an operation that does the same on another connection of the
// pool, or nil: what has its connection already can't be done twice at once,
// and only of queries is it known how.
func (s *stmtCall) Fork() attach.Performer {
	if s.pool == nil || s.Op != sp.OpQuery {
		return nil
	}
	s.stray = true
	return &stmtCall{pipeline: s.pipeline, perCall: perCall{pool: s.pool, args: s.args, origin: s}}
}

// Adopt takes over what came of a fork.
func (s *stmtCall) Adopt(winner attach.Performer) {
	w := winner.(*stmtCall)
	s.on, s.conn, s.acquired, s.dead, s.performed = w.on, w.conn, w.acquired, w.dead, w.performed
	s.first, s.resultCtx = w.first, w.resultCtx
}
