package simulation

import (
	"context"
	"errors"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// DB attaches a chain to a [Server]. It is safe for concurrent use.
type DB struct {
	server  *Server
	pool    pool
	handler sp.Handler
	target  *sp.Target
	// Entered is called when a call that is no part of another one has passed
	// the chain, and before it does anything. It may be nil.
	Entered func(call *sp.Call)
}

// NewDB returns a DB with a pool of up to size connections.
func NewDB(server *Server, size int, chain sp.Chain) *DB {
	return &DB{
		server: server, pool: pool{max: size}, handler: chain.Then(attach.Perform),
		target: &sp.Target{System: sp.PostgreSQL, Host: "db.example", Port: 5432, Namespace: "shop"},
	}
}

// Target returns the database that calls go to.
func (d *DB) Target() *sp.Target { return d.target }

// InUse returns how many connections are taken, and how many calls wait for one.
func (d *DB) InUse() (taken, waiting int) { return d.pool.inUse() }

// Work is what a statement is.
type Work struct {
	// Text is the SQL text.
	Text string
	// Takes is how long it keeps the server busy.
	Takes time.Duration
	// Writes has it refused by a standby.
	Writes bool
	// Answer is the error with which the server answers it, or nil.
	Answer error
}

// call makes a call.
func (d *DB) call(ctx context.Context, op sp.Op, scope sp.Scope, text string, do attach.Performer) *sp.Call {
	c := new(sp.Call)
	attach.Reset(c, do)
	c.Op, c.Scope, c.Target, c.Text = op, scope, d.target, text
	attach.Bind(ctx, c)
	return c
}

// operation is what a call does.
type operation func(ctx context.Context, call *sp.Call) error

// Do performs it.
func (o operation) Do(ctx context.Context, call *sp.Call) error { return o(ctx, call) }

// statement is an operation that may be performed twice at once.
type statement struct{ operation }

// Fork returns s: it has no result that two could not share.
func (s statement) Fork() attach.Performer { return s }

// Adopt does nothing.
func (statement) Adopt(attach.Performer) {}

func (d *DB) entered(call *sp.Call) {
	if d.Entered != nil && !call.Step() {
		d.Entered(call)
	}
}

// take takes a connection. A new one is dialled by a call of its own.
func (d *DB) take(ctx context.Context) (*session, error) {
	return d.pool.take(ctx, func(ctx context.Context) (n *session, err error) {
		call := d.call(ctx, sp.OpConnect, sp.ScopeConn, "", operation(func(ctx context.Context, call *sp.Call) (err error) {
			d.entered(call)
			if n, err = d.server.dial(ctx); err != nil {
				call.Judge(ctx, err, fault.PhaseConnect, fault.ProgressUnsent)
			}
			return err
		}))
		_, err = attach.Run(ctx, call, d.handler)
		return n, err
	})
}

// release gives a connection back after err.
func (d *DB) release(n *session, unfit bool) {
	if !unfit {
		d.pool.put(n)
		return
	}
	_ = n.close(nil)
	d.pool.drop()
}

// on performs work on a connection as the given call, and judges its error.
func (w Work) on(ctx context.Context, n *session, call *sp.Call) (unfit bool, err error) {
	if err = n.run(ctx, w.Takes, w.Writes); err == nil {
		err = w.Answer
	}
	if err == nil {
		return false, nil
	}
	v := call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnknown)
	return v.DiscardConn || n.over(), err
}

// Exec performs a statement as a handle does, which takes a connection for each
// attempt.
func (d *DB) Exec(ctx context.Context, w Work) error { return d.perform(ctx, sp.OpExec, w) }

// Query is Exec for a statement that returns rows, which are read at once.
func (d *DB) Query(ctx context.Context, w Work) error { return d.perform(ctx, sp.OpQuery, w) }

func (d *DB) perform(ctx context.Context, op sp.Op, w Work) error {
	call := d.call(ctx, op, sp.ScopePool, w.Text, statement{func(ctx context.Context, call *sp.Call) error {
		d.entered(call)
		n, err := d.take(attach.Context(ctx, call))
		if err != nil {
			call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnsent)
			return err
		}
		unfit, err := w.on(ctx, n, call)
		d.release(n, unfit)
		return err
	}})
	_, err := attach.Run(ctx, call, d.handler)
	return err
}

// ExecOnConn performs a statement as a plain *sql.DB does, which takes the
// connection before the chain is asked.
func (d *DB) ExecOnConn(ctx context.Context, w Work) error {
	n, err := d.take(ctx)
	if err != nil {
		return err
	}
	unfit := false
	call := d.call(ctx, sp.OpExec, sp.ScopeConn, w.Text, operation(func(ctx context.Context, call *sp.Call) (err error) {
		d.entered(call)
		unfit, err = w.on(ctx, n, call)
		return err
	}))
	_, err = attach.Run(ctx, call, d.handler)
	d.release(n, unfit)
	return err
}

// RunInTx performs a unit of work: BEGIN, the statements that script returns,
// anew for each attempt, and COMMIT.
func (d *DB) RunInTx(ctx context.Context, script func() []Work) error {
	unit := d.call(ctx, sp.OpTransaction, sp.ScopePool, "", operation(func(ctx context.Context, unit *sp.Call) error {
		return d.transaction(ctx, unit, script())
	}))
	_, err := attach.Run(ctx, unit, d.handler)
	return err
}

// transaction performs a unit once.
func (d *DB) transaction(ctx context.Context, unit *sp.Call, script []Work) error {
	inside := attach.Context(ctx, unit)
	n, err := d.take(inside)
	if err != nil {
		unit.Judge(ctx, err, fault.PhaseBegin, fault.ProgressUnsent)
		return err
	}
	unfit := false
	defer func() { d.release(n, unfit) }()
	begin := d.call(inside, sp.OpBegin, sp.ScopeConn, "BEGIN", operation(func(ctx context.Context, call *sp.Call) (err error) {
		d.entered(call)
		if unfit, err = (Work{}).on(ctx, n, call); err == nil {
			attach.KeepOpen(call)
		}
		return err
	}))
	if _, err = attach.Run(inside, begin, d.handler); err != nil {
		unit.Judge(ctx, err, fault.PhaseBegin, fault.ProgressUnsent)
		return err
	}
	defer func() { attach.Finish(begin, err) }()
	for _, w := range script {
		if unfit, err = d.inTx(inside, n, sp.OpExec, w); err != nil {
			unit.Judge(ctx, err, fault.PhaseUnit, fault.ProgressUnknown)
			if !unfit {
				unfit, _ = d.inTx(context.WithoutCancel(inside), n, sp.OpRollback, Work{Text: "ROLLBACK"})
			}
			return err
		}
	}
	if unfit, err = d.inTx(inside, n, sp.OpCommit, Work{Text: "COMMIT"}); err != nil {
		v := unit.Judge(ctx, err, fault.PhaseCommit, fault.ProgressUnknown)
		if v.Outcome == fault.OutcomeUnknown && !errors.Is(err, fault.ErrCommitUnknown) {
			err = &fault.CommitError{Err: err}
		}
	}
	return err
}

// inTx performs a statement in a transaction.
func (d *DB) inTx(ctx context.Context, n *session, op sp.Op, w Work) (unfit bool, err error) {
	call := d.call(ctx, op, sp.ScopeConn, w.Text, operation(func(ctx context.Context, call *sp.Call) (err error) {
		unfit, err = w.on(ctx, n, call)
		return err
	}))
	call.InTx = true
	_, err = attach.Run(ctx, call, d.handler)
	return unfit, err
}
