package orm

import (
	"context"
	"reflect"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Scalars flushes, runs a statement and returns the first column of every row.
// If V is a pointer to a struct that has a table, each row is an object of the
// session, as of [Select.All]: the columns have the names of the table's, and
// its key is among them. So any SQL text or builder's query can give objects.
func Scalars[V any](ctx context.Context, s *Session, st engine.Statement) (values []V, err error) {
	t := entityType[V]()
	err = s.run(ctx, sp.OpSessionScalars, func(ctx context.Context) error {
		if t != nil {
			return s.load(ctx, t, st, false, func(obj unsafe.Pointer) bool {
				values = append(values, asEntity[V](obj))
				return true
			})
		}
		conn, err := s.ready(ctx)
		if err != nil {
			return err
		}
		values, err = engine.Scalars[V](ctx, conn, st)
		return err
	})
	return values, err
}

// Scalar flushes, runs a statement and returns the first column of the first
// row; false if there is no row. For a value that may be NULL use a pointer or
// a sql.Null. An object is found as by [Scalars].
func Scalar[V any](ctx context.Context, s *Session, st engine.Statement) (value V, ok bool, err error) {
	t := entityType[V]()
	err = s.run(ctx, sp.OpSessionScalar, func(ctx context.Context) error {
		if t != nil {
			return s.load(ctx, t, st, false, func(obj unsafe.Pointer) bool {
				value, ok = asEntity[V](obj), true
				return false
			})
		}
		conn, err := s.ready(ctx)
		if err != nil {
			return err
		}
		value, ok, err = engine.Scalar[V](ctx, conn, st)
		return err
	})
	return value, ok, err
}

// ready flushes and returns the connection of the transaction.
func (s *Session) ready(ctx context.Context) (*engine.Conn, error) {
	if err := s.autoflush(ctx); err != nil {
		return nil, err
	}
	return s.connect(ctx)
}

// entityType returns the struct that a V points to, if it has a table.
func entityType[V any]() reflect.Type {
	t := reflect.TypeFor[V]()
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil
	}
	if _, err := mapping.Of(t.Elem()); err != nil {
		return nil
	}
	return t.Elem()
}

// asEntity returns an object as a V, which is a pointer to its type.
func asEntity[V any](obj unsafe.Pointer) V {
	return *(*V)(unsafe.Pointer(&obj)) //nolint:gosec // a pointer read as a pointer
}
