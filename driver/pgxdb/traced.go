package pgxdb

import (
	"context"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

// tracedKey is where the custom data of a connection has its [tracedConn].
const tracedKey = "sessionproxy: traced"

// tracedConn is what a tracer knows of a connection, which one goroutine uses at
// a time.
type tracedConn struct {
	target *sp.Target
	begun  *tracedCall // the call of BEGIN, until the transaction ends
	taken  *tracedCall // the call of Acquire, until the connection is released
	// copying is the context of the COPY at work.
	copying context.Context // to find its call by
}

// tracedCall is a call that pgx performs by itself: the chain is passed up to its
// core, and the call stays open until pgx tells how it ended.
type tracedCall struct {
	sp.Call
	traced
}

// traced is the part of a call that is forgotten with it.
type traced struct {
	on       *tracedConn
	ctx      context.Context // the chain's, for pgx to perform the call with
	progress fault.Progress

	// Of a call that is suspended in its core.
	wait   func() // suspends it
	resume func() // lets it go on
	err    error  // with which it ends
	keep   bool   // its result is open

	// Of a batch.
	statements int   // that have ended
	failed     error // of the first of them that failed
}

// suspends reports whether the chain waits in its core while pgx performs a call
// of op, instead of leaving its result open: links look at the time at which the
// operation itself is over.
func suspends(op sp.Op) bool { return op == sp.OpConnect || op.Lasting() }

// Do lets pgx perform the call.
func (c *tracedCall) Do(ctx context.Context, call *sp.Call) error {
	c.ctx = ctx
	if c.wait == nil {
		attach.KeepOpen(call)
		return nil
	}
	c.wait()
	if c.err != nil {
		call.Judge(ctx, c.err, call.Op.Phase(), c.progress)
	} else if c.keep {
		attach.KeepOpen(call)
	}
	return c.err
}

// suspend passes the call through the chain up to its core. It reports whether
// that was reached.
func (c *tracedCall) suspend(ctx context.Context, h sp.Handler) bool {
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		c.wait = func() { yield(struct{}{}) }
		_, _ = attach.Run(ctx, &c.Call, h)
	})
	c.resume = func() {
		next()
		stop()
	}
	_, reached := next()
	return reached
}

// leave ends a call that is suspended.
func (c *tracedCall) leave(err error) {
	c.err = err
	c.resume()
}

// opened ends the operation of a call that is suspended, and leaves the call
// open.
func (c *tracedCall) opened() {
	c.keep = true
	c.resume()
}

// tracedContext is the context of what a tracer has seen: a call, or nil if it
// made none.
type tracedContext struct {
	context.Context
	call *tracedCall
}

type tracedContextKey struct{}

// Value returns the context itself for its key.
func (c *tracedContext) Value(key any) any {
	if key == (tracedContextKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// within returns the innermost context of a tracer that ctx has, or nil.
func within(ctx context.Context) *tracedContext {
	if c, ok := ctx.(*tracedContext); ok {
		return c
	}
	c, _ := ctx.Value(tracedContextKey{}).(*tracedContext)
	return c
}

// callIn returns the call that a tracer has made for ctx, or nil.
func callIn(ctx context.Context) *tracedCall {
	if c := within(ctx); c != nil {
		return c.call
	}
	return nil
}

// ended returns the call of op, or of any operation if that is unknown, that a
// tracer has made for ctx and that pgx has performed now, or nil. pgx may say so
// twice.
func ended(ctx context.Context, op sp.Op) *tracedCall {
	in := within(ctx)
	if in == nil || in.call == nil || op != sp.OpUnknown && in.call.Op != op {
		return nil
	}
	c := in.call
	in.call = nil
	return c
}

// covered returns a context for what gets no call: should it run inside of what
// has one, its end is not that one's.
func covered(ctx context.Context) context.Context {
	if within(ctx) == nil {
		return ctx
	}
	return &tracedContext{Context: ctx}
}

// operationOf tells what a statement is, which pgx does not: pgx's own texts of
// transaction control, what returns rows by its first word, and the rest.
func operationOf(text string, args int) sp.Op {
	if args == 0 {
		if op := controlOf(text); op != sp.OpUnknown {
			return op
		}
	}
	word := firstWord(text)
	for _, w := range [...]string{"select", "with", "values", "table", "show", "explain", "fetch"} {
		if strings.EqualFold(word, w) {
			return sp.OpQuery
		}
	}
	return sp.OpExec
}

// controlOf recognises the texts that pgx writes itself.
func controlOf(text string) sp.Op {
	switch {
	case text == "begin", strings.HasPrefix(text, "begin "):
		return sp.OpBegin
	case text == "commit":
		return sp.OpCommit
	case text == "rollback", strings.HasPrefix(text, "rollback to savepoint sp_"):
		return sp.OpRollback
	case strings.HasPrefix(text, "savepoint sp_"):
		return sp.OpSavepoint
	case strings.HasPrefix(text, "release savepoint sp_"):
		return sp.OpRelease
	}
	return sp.OpUnknown
}

// firstWord returns the first word of a text, after comments and parentheses.
func firstWord(text string) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n(")
		switch {
		case strings.HasPrefix(text, "--"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*"):
			_, text, _ = strings.Cut(text, "*/")
		default:
			end := 0
			for end < len(text) && (text[end]|0x20 >= 'a' && text[end]|0x20 <= 'z') {
				end++
			}
			return text[:end]
		}
	}
}

// connOf returns what is known of a connection.
func (t *Tracer) connOf(conn *pgx.Conn) *tracedConn {
	data := conn.PgConn().CustomData()
	on, _ := data[tracedKey].(*tracedConn)
	if on == nil {
		on = &tracedConn{target: t.intern(conn.Config(), conn.PgConn())}
		data[tracedKey] = on
	}
	return on
}

// intern returns the target of a configuration, the same for the same.
func (t *Tracer) intern(c *pgx.ConnConfig, conn *pgconn.PgConn) *sp.Target {
	if t.target != nil {
		return t.target
	}
	name := dbname.OfConfig(c)
	told := name.Target.Apart()
	if conn != nil && name.Several() {
		told = name.At(conn.Conn().RemoteAddr())
	}
	target := &told
	if conn != nil && conn.ParameterStatus("crdb_version") != "" {
		target.System = sp.CockroachDB
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.targets[*target]; known != nil {
		return known
	}
	t.targets[*target] = target
	return target
}
