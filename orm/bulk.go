package orm

import (
	"context"
	"fmt"
	"reflect"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Update flushes, and updates the rows that the query's conditions find, in one
// statement: set is what stands behind SET, such as "score = score + ?". It
// returns how many rows that were. Objects of the type that the session has are
// expired, and read again when they are asked for; versions are not counted.
// Joins, order and bounds can't be had.
func (q Select[T]) Update(ctx context.Context, s *Session, set string, args ...any) (int64, error) {
	return q.bulk(ctx, s, "UPDATE ", dml.Raw("SET"), engine.Text(set, args...))
}

// Delete flushes, and deletes the rows that the query's conditions find, in one
// statement. It returns how many rows that were. Objects whose rows are gone
// leave the session when they are asked for; relations do not cascade. Joins,
// order and bounds can't be had.
func (q Select[T]) Delete(ctx context.Context, s *Session) (int64, error) {
	return q.bulk(ctx, s, "DELETE FROM ")
}

func (q Select[T]) bulk(ctx context.Context, s *Session, head string, parts ...engine.Statement) (n int64, err error) {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		return 0, err
	}
	st, err := q.q.Bulk(s.eng.Dialect(), t, head, parts...)
	if err != nil {
		return 0, err
	}
	err = s.run(ctx, sp.OpSessionExecute, func(ctx context.Context) error {
		conn, err := s.ready(ctx)
		if err != nil {
			return err
		}
		res, err := conn.Execute(ctx, st)
		if err != nil {
			return fmt.Errorf("orm: %s%s: %w", head, t.FullName(), err)
		}
		n = res.RowsAffected()
		for st := range s.objects.OfTable(t) {
			st.Outdated()
			s.tx.journal().Touch(st, nil)
		}
		return nil
	})
	return n, err
}
