package orm

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Session is a unit of work on an [engine.Engine]. It is made by [NewSession]
// and used by one goroutine at a time.
type Session struct {
	eng     *engine.Engine
	cfg     config
	handler sp.Handler // nil: an empty chain
	objects *objects
	orphans orphans
	hooks   tableHooks

	tx       transaction
	kept     *keep // its transaction is ended by another; nil: by its own methods
	flushing bool  // no hook may flush
	ended    int   // how often a transaction or a savepoint has ended
}

// transaction is the database's side of the session's transaction; what is to be
// undone among the objects is in the journals.
type transaction struct {
	conn     *engine.Conn // while it has reached the database
	external bool         // the connection and its transaction are another's
	levels   []level      // the transaction and the savepoints in it, outermost first; none: it has not begun
	failed   error        // a flush has failed, and rolled back
}

// level is the transaction itself or a savepoint in it.
type level struct {
	savepoint *engine.Tx // nil: the transaction itself
	journal   *journal
}

// begun reports whether there is a transaction.
func (t *transaction) begun() bool { return len(t.levels) > 0 }

// innermost returns the level that is at work; it is one that has begun.
func (t *transaction) innermost() *level { return &t.levels[len(t.levels)-1] }

// journal returns the journal that is at work; nil without a transaction.
func (t *transaction) journal() *journal {
	if !t.begun() {
		return nil
	}
	return t.innermost().journal
}

// find returns where the level of a journal is, or -1.
func (t *transaction) find(j *journal) int {
	return slices.IndexFunc(t.levels, func(l level) bool { return l.journal == j })
}

// push begins a level.
func (t *transaction) push(savepoint *engine.Tx, o *objects) *journal {
	j := newJournal(t.journal(), o)
	t.levels = append(t.levels, level{savepoint, j})
	return j
}

// mergeTo hands what is known of the levels from n on to the one around them,
// but for the transaction itself.
func (t *transaction) mergeTo(n int) {
	for len(t.levels) > n {
		if j := t.innermost().journal; len(t.levels) > 1 {
			j.merge()
		}
		t.levels = t.levels[:len(t.levels)-1]
	}
}

// undoTo undoes the levels from n on among the objects.
func (t *transaction) undoTo(n int, o *objects, all bool) {
	for len(t.levels) > n {
		t.innermost().journal.undo(o, all)
		t.levels = t.levels[:len(t.levels)-1]
	}
}

// config is what the options set.
type config struct {
	autoflush      bool
	expireOnCommit bool
	autobegin      bool
}

func defaultConfig() config {
	return config{autoflush: true, expireOnCommit: true, autobegin: true}
}

// An Option changes how a session behaves.
type Option interface{ apply(c *config) }

type optionFunc func(c *config)

func (f optionFunc) apply(c *config) { f(c) }

// WithoutAutoflush makes queries leave pending changes alone: they are sent by
// Flush and Commit only. By default a query sends them first.
func WithoutAutoflush() Option { return optionFunc(func(c *config) { c.autoflush = false }) }

// WithoutExpireOnCommit leaves objects as they are after a commit. By default
// they are expired, so that the next use sees what others have committed.
func WithoutExpireOnCommit() Option { return optionFunc(func(c *config) { c.expireOnCommit = false }) }

// WithoutAutobegin makes every use of the database without [Session.Begin] an
// error that matches [ErrNoTransaction]. By default a transaction begins by
// itself.
func WithoutAutobegin() Option { return optionFunc(func(c *config) { c.autobegin = false }) }

// NewSession returns a session on an engine. It costs nothing until it is used;
// it has to be closed.
func NewSession(eng *engine.Engine, opts ...Option) *Session {
	s := &Session{eng: eng, cfg: defaultConfig(), handler: eng.Handler()}
	s.objects = newMap(s.hooks.note)
	for _, o := range opts {
		if o != nil {
			o.apply(&s.cfg)
		}
	}
	return s
}

// NewSessionIn returns a session in a transaction that another ends, such as
// that of [engine.Engine.RunInTx]: it uses the transaction's connection, and
// has to be flushed before the transaction is committed. Its own Commit is an
// error that matches [engine.ErrTransactionManaged]. Rollback undoes among its objects
// what was done to them, and Close lets them go as they are; both leave the
// transaction alone.
func NewSessionIn(tx *engine.Tx, opts ...Option) *Session {
	s := NewSession(tx.Conn().Engine(), opts...)
	s.tx.conn, s.tx.external = tx.Conn(), true
	s.tx.push(nil, s.objects)
	return s
}

// Bind returns the engine of the session.
func (s *Session) Bind() *engine.Engine { return s.eng }

// sessionCall is a method of a session on its way through the chain.
type sessionCall struct {
	sp.Call
	do        func(ctx context.Context) error
	performed bool
}

// Do performs the method.
func (c *sessionCall) Do(ctx context.Context, _ *sp.Call) error {
	c.performed = true
	return c.do(sp.ContextWithCall(ctx, &c.Call))
}

var sessionCalls = sync.Pool{New: func() any {
	c := &sessionCall{}
	c.Reset(c)
	return c
}}

// run passes a method through the chain.
func (s *Session) run(ctx context.Context, op sp.Op, do func(ctx context.Context) error) error {
	return s.pass(ctx, op, s.tx.begun(), do)
}

// pass is run for any goroutine.
func (s *Session) pass(ctx context.Context, op sp.Op, inTx bool, do func(ctx context.Context) error) error {
	if s.handler == nil {
		return do(ctx)
	}
	c := sessionCalls.Get().(*sessionCall)
	c.Op, c.Level, c.Scope, c.do = op, sp.LevelSession, sp.ScopePool, do
	c.InTx, c.Target = inTx, s.eng.Target()
	c.Bind(ctx)
	_, err := c.Run(ctx, s.handler)
	if err == nil && !c.performed {
		err = fmt.Errorf("orm: %s: an interceptor returned without an error and without calling the next handler", op)
	}
	c.do, c.performed = nil, false
	if !op.Local() { // a context that knows the call may still be about, such as that of COMMIT
		return err
	}
	c.Reset(c)
	sessionCalls.Put(c)
	return err
}

// entity returns the table of an object and where it is.
func entity(obj any) (*mapping.Table, unsafe.Pointer, error) {
	v := reflect.ValueOf(obj)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, nil, fmt.Errorf("orm: %T is no object: want a pointer to a struct, not nil", obj)
	}
	t, err := mapping.Of(v.Type())
	if err != nil {
		return nil, nil, err
	}
	return t, v.UnsafePointer(), nil
}

// lookup returns what the session knows of an object, or nil.
func (s *Session) lookup(obj any) (*state, error) {
	_, p, err := entity(obj)
	if err != nil {
		return nil, err
	}
	return s.objects.at(p), nil
}

// object returns the object of a state, as a pointer to its type.
func (st *state) object() any { return st.table.Object(st.obj) }
