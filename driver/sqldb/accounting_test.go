package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// inner is an interceptor inside one that forks: what its call says when it
// ends.
type inner struct {
	rows    int64
	verdict fault.Verdict
	ended   int
}

func (i *inner) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Scope == sp.ScopePool && call.Op == sp.OpQuery {
			call.OnFinish(func(err error) {
				i.rows, i.verdict, i.ended = call.RowsReturned, call.Verdict(err), i.ended+1
			})
		}
		return next(ctx, call)
	}
}

// second keeps the outcome of a fork, as a hedge does.
func second(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		fork, ok := call.Fork()
		if !ok {
			return next(ctx, call)
		}
		err := next(ctx, fork)
		call.Adopt(fork)
		return err
	}
}

func TestLinksInsideAForkSeeWhatItsRowsGave(t *testing.T) {
	t.Parallel()
	in := new(inner)
	db := openPostgres(t, sp.InterceptorFunc(second), in)
	rows, err := db.QueryContext(t.Context(), "SELECT 1 UNION SELECT 2 UNION SELECT 3")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || in.ended != 1 || in.rows != 3 {
		t.Errorf("error %v, ended %d times with %d rows", err, in.ended, in.rows)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err = db.QueryContext(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; rows.Next(); n++ {
		if n == 10 {
			cancel()
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if in.ended != 2 || in.verdict.Class != fault.ClassCanceled || in.verdict.Breaker != fault.BreakerExclude {
		t.Errorf("ended %d times, a caller that gave up is judged %+v", in.ended, in.verdict)
	}
}

// swallows makes a success of every failure.
func swallows(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		_ = next(ctx, call)
		return nil
	}
}

func TestASwallowedErrorLeavesNoNilResult(t *testing.T) {
	t.Parallel()
	db := openPostgres(t, sp.InterceptorFunc(swallows))
	type both interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	}
	for name, db := range map[string]both{"handle": db, "plain": db.DB} {
		if rows, err := db.QueryContext(t.Context(), "nonsense"); err == nil {
			t.Errorf("%s: rows %v without an error", name, rows)
			_ = errors.Join(rows.Err(), rows.Close())
		}
		var v any
		if err := db.QueryRowContext(t.Context(), "nonsense").Scan(&v); err == nil {
			t.Errorf("%s: a row without an error", name)
		}
		if stmt, err := db.PrepareContext(t.Context(), "nonsense"); err == nil {
			t.Errorf("%s: statement %v without an error", name, stmt)
		}
		result, err := db.ExecContext(t.Context(), "nonsense")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n, err := result.RowsAffected(); err == nil {
			t.Errorf("%s: %d rows affected", name, n)
		}
		if n, err := result.LastInsertId(); err == nil {
			t.Errorf("%s: id %d", name, n)
		}
	}
}

func TestABeginLearnsThatItsCommitPanicked(t *testing.T) {
	t.Parallel()
	var ended []error
	watches := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			switch call.Op {
			case sp.OpBegin:
				call.OnFinish(func(err error) { ended = append(ended, err) })
			case sp.OpCommit:
				panic("link")
			}
			return next(ctx, call)
		}
	})
	db := openPostgres(t, watches)
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE notes (n int)"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.DB.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO notes VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = tx.Commit()
	}()
	if len(ended) != 1 || !errors.Is(ended[0], sp.ErrAborted) {
		t.Errorf("BEGIN ended with %v", ended)
	}
}
