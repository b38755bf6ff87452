package orm

import (
	"context"
	"fmt"
	"reflect"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/cascade"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Session is a unit of work on an [engine.Engine]. It is created by
// [NewSession] and used by one goroutine at a time.
type Session struct {
	eng     *engine.Engine
	cfg     config
	handler sp.Handler // nil: an empty chain
	objects *identity.Map
	orphans cascade.Orphans
	hooks   tableHooks

	tx        transaction
	listeners []*listener
	info      map[any]any

	kept     *keep // its caller ends the transaction; nil: its own methods do
	flushing bool  // no hook may flush
	ended    int   // how often a transaction or a savepoint has ended
}

// A Handle is a [*Session], or a type that embeds one, such as a blocking
// session of package proxy. The functions of this package, such as [Get], take
// any of them.
type Handle interface {
	blocking() *Session
	// Tasks returns the session's methods as tasks.
	Tasks() Tasks
}

func (s *Session) blocking() *Session { return s }

// An Option changes how a session behaves.
type Option interface{ apply(c *config) }

type optionFunc func(c *config)

func (f optionFunc) apply(c *config) { f(c) }

// WithoutAutoflush turns autoflush off: pending changes are sent only by Flush
// and Commit. By default a query sends them first.
func WithoutAutoflush() Option { return optionFunc(func(c *config) { c.autoflush = false }) }

// WithoutExpireOnCommit leaves objects unchanged after a commit. By default
// they are expired, so that the next use sees what other transactions have
// committed.
func WithoutExpireOnCommit() Option { return optionFunc(func(c *config) { c.expireOnCommit = false }) }

// WithoutAutobegin makes every use of the database without [Session.Begin] fail
// with an error that matches [ErrNoTransaction]. By default a transaction
// begins automatically.
func WithoutAutobegin() Option { return optionFunc(func(c *config) { c.autobegin = false }) }

// NewSession returns a session on an engine. It uses no connection until the
// session needs one. You must close the session.
func NewSession(eng *engine.Engine, opts ...Option) *Session {
	s := &Session{eng: eng, cfg: defaultConfig(), handler: eng.Handler()}
	s.objects = identity.NewMap(s.hooks.note)
	for _, o := range opts {
		if o != nil {
			o.apply(&s.cfg)
		}
	}
	return s
}

// NewSessionIn returns a session in a transaction that its caller ends, such as
// that of [engine.Engine.RunInTx]. The session uses the transaction's
// connection; flush it before the transaction is committed. Its own Commit
// fails with an error that matches [engine.ErrTransactionManaged]. Rollback
// undoes the changes of its objects, and Close releases them as they are; both
// leave the transaction alone.
func NewSessionIn(tx *engine.Tx, opts ...Option) *Session {
	s := NewSession(tx.Conn().Engine(), opts...)
	s.tx.conn, s.tx.external = tx.Conn(), true
	s.tx.push(nil, s.objects)
	return s
}

// Bind returns the engine of the session.
func (s *Session) Bind() *engine.Engine { return s.eng }

// entity returns the table and the address of an object.
func entity(obj any) (*mapping.Table, memory.Pointer, error) {
	v := reflect.ValueOf(obj)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, nil, fmt.Errorf("%w: %T: want a pointer to a struct, not nil", ErrNotEntity, obj)
	}
	t, err := mapping.Of(v.Type())
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNotEntity, err)
	}
	return t, v.UnsafePointer(), nil
}

// lookup returns the session's state of an object, or nil.
func (s *Session) lookup(obj any) (*identity.State, error) {
	_, p, err := entity(obj)
	if err != nil {
		return nil, err
	}
	return s.objects.At(p), nil
}

// config holds the options.
type config struct {
	autoflush      bool
	expireOnCommit bool
	autobegin      bool
}

func defaultConfig() config {
	return config{autoflush: true, expireOnCommit: true, autobegin: true}
}

// keep marks a session whose transaction its caller ends.
type keep struct {
	broken bool // a method would have undone the transaction
}

// ends refuses a method that ends the transaction if the caller does that.
func (s *Session) ends(method string, undoes bool) error {
	if s.kept == nil {
		return nil
	}
	s.kept.broken = s.kept.broken || undoes
	return fmt.Errorf("orm: %s: %w", method, engine.ErrTransactionManaged)
}

// ensureTransaction makes sure that there is a transaction, and that it can be
// used.
func (s *Session) ensureTransaction() error {
	if s.tx.failed != nil {
		return &pendingRollbackError{s.tx.failed}
	}
	if s.tx.begun() {
		return nil
	}
	if !s.cfg.autobegin {
		return ErrNoTransaction
	}
	s.tx.push(nil, s.objects)
	return nil
}

// connect returns the connection of the transaction, taking one from the pool
// if necessary.
func (s *Session) connect(ctx context.Context) (*engine.Conn, error) {
	if s.tx.conn == nil {
		conn, err := s.eng.Connect(ctx)
		if err != nil {
			return nil, err
		}
		s.tx.conn = conn
		if err := s.tellBegun(ctx, conn); err != nil {
			_ = s.release(ctx) // it rolls back
			return nil, err
		}
	}
	return s.tx.conn, nil
}

// release gives the connection back.
func (s *Session) release(ctx context.Context) error {
	conn := s.tx.conn
	if conn == nil || s.tx.external {
		return nil
	}
	s.tx.conn = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	return conn.Close(ctx)
}
