package orm

import (
	"context"
	"fmt"
	"reflect"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/load"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Stream flushes, runs a statement in the session's transaction and holds one
// window of its rows in memory. The stream has to be closed, unless it is read
// to its end. Until then the session can do nothing else that needs the
// database: the error matches [engine.ErrConnBusy]; Commit, Rollback and Close
// end it. So does the end of ctx.
//
// The rows are not objects of the session: see [Select.Each] for those.
func (s *Session) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) (rows *engine.Stream, err error) {
	err = s.run(ctx, opStream, func(inside context.Context) error {
		conn, err := s.ready(inside)
		if err != nil {
			return err
		}
		rows, err = conn.Stream(lasting{ctx, inside}, st, opts...)
		return err
	})
	return rows, err
}

// lasting is the context of what outlives the method that opens it: it ends with
// the method's caller, and not with what interceptors have made for the method.
type lasting struct {
	context.Context
	values context.Context //nolint:containedctx // for what it knows
}

// Value implements [context.Context].
func (c lasting) Value(key any) any { return c.values.Value(key) }

// Adopter turns the rows of a stream into the session's objects, in the
// session's transaction. It is used on the goroutine that owns the session.
type Adopter[V any] struct {
	s       *Session
	rows    load.Rows
	journal *identity.Journal // of the transaction that reads
}

// Adopt returns an [Adopter] for the rows of a statement, which are read
// elsewhere as values of V, in the transaction that the session then has; nil
// if V is not a pointer to a struct with a table. A query with [Select.NoTrack]
// yields objects that are not the session's. A query that reads relations can't
// be streamed, because the stream occupies the connection.
func (ts TypedTasks[V]) Adopt(st engine.Statement) (*Adopter[V], error) {
	typ := entityType[V]()
	if typ == nil {
		return nil, nil
	}
	t, err := mapping.Of(typ)
	if err != nil {
		return nil, err
	}
	a := &Adopter[V]{s: ts.s, rows: load.Rows{Statement: st, Table: t}}
	if q, ok := st.(streamed); ok {
		var with bool
		if a.rows.Populate, a.rows.Loose, with = q.streaming(); with {
			return nil, fmt.Errorf("orm: stream %s: relations can't be read while the stream has the connection: use Each, or Load afterwards", t.FullName())
		}
	}
	return a, nil
}

// Opened notifies the adopter that the statement is running.
func (a *Adopter[V]) Opened() {
	if a.s.tx.begun() {
		a.journal = a.s.tx.levels[0].journal
	}
}

// Object returns the session's object for a row with columns of these names:
// the one it has, or v. If the transaction that read the row has ended, the
// object is expired. The columns must include the key.
func (a *Adopter[V]) Object(ctx context.Context, names []string, v V) (V, error) {
	l := a.s.loader(a.rows.Table)
	st, err := l.Adopt(ctx, &a.rows, names, reflect.ValueOf(v).UnsafePointer())
	if err != nil {
		return v, err
	}
	if now := a.s.tx; !a.rows.Loose && (!now.begun() || now.levels[0].journal != a.journal) {
		st.Expire()
	}
	return asEntity[V](st.Object), nil
}

// streamed is a query that defines how its rows become objects.
type streamed interface {
	streaming() (populate, loose, with bool)
}

func (q Select[T]) streaming() (populate, loose, with bool) {
	return q.populate, q.loose, q.Relations()
}
