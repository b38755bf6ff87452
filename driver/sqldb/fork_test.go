package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
)

// twice performs every call of a handle twice at once, on two connections, and
// keeps the outcome of the second.
type twice struct {
	t   *testing.T
	end func(fork int, call *sp.Call, err error) // each finish, if set
}

func (i twice) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Scope != sp.ScopePool || call.Op != sp.OpQuery && call.Op != sp.OpExec && call.Op != sp.OpPing {
			return next(ctx, call)
		}
		var forks [2]*sp.Call
		var errs [2]error
		var wg sync.WaitGroup
		for n := range forks {
			fork, ok := call.Fork()
			if !ok {
				i.t.Errorf("%v can't be forked", call.Op)
				return next(ctx, call)
			}
			forks[n] = fork
			fork.OnFinish(func(err error) {
				if i.end != nil {
					i.end(n, call, err)
				}
			})
			wg.Go(func() { errs[n] = next(ctx, fork) })
		}
		wg.Wait()
		call.Abandon(forks[0], context.Canceled)
		call.Adopt(forks[1])
		return errs[1]
	}
}

// forked opens a database whose handle performs everything twice.
func forked(t *testing.T, i twice) *sqldb.DB {
	t.Helper()
	i.t = t
	db, err := sqldb.Open("pgx", postgresURL(t), sp.NewChain(i))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := db.Stats().InUse; n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return wrap(t, db)
}

func TestAForksRowsAreTheHandles(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ends := map[int][]error{}
	var returned int64
	db := forked(t, twice{end: func(fork int, call *sp.Call, err error) {
		mu.Lock()
		defer mu.Unlock()
		ends[fork] = append(ends[fork], err)
		if fork == 1 {
			returned = call.RowsReturned
		}
	}})
	rows, err := db.QueryContext(t.Context(), "SELECT 1 UNION SELECT 2 UNION SELECT 3")
	if err != nil {
		t.Fatal(err)
	}
	if len(ends[0]) != 1 || !errors.Is(ends[0][0], context.Canceled) || len(ends[1]) != 0 {
		t.Errorf("before the rows are closed the attempts ended with %v", ends)
	}
	if n := db.Stats().InUse; n != 1 {
		t.Errorf("%d connections in use, want that of the rows", n)
	}
	var sum, n int
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || sum != 6 {
		t.Errorf("sum %d, error %v", sum, err)
	}
	if len(ends[1]) != 1 || ends[1][0] != nil || returned != 3 {
		t.Errorf("the rows' attempt ended with %v after %d rows", ends[1], returned)
	}
}

func TestAForksRowAndResultAreTheHandles(t *testing.T) {
	t.Parallel()
	db := forked(t, twice{})
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT 7").Scan(&n); err != nil || n != 7 {
		t.Errorf("row %d, error %v", n, err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Error(err)
	}
	res, err := db.ExecContext(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := res.RowsAffected(); err != nil {
		t.Errorf("the result is not that of an attempt: %v", err)
	}
}

func TestAForksErrorIsJudgedWhereItHappened(t *testing.T) {
	t.Parallel()
	var verdict fault.Verdict
	judge := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			err := next(ctx, call)
			if call.Op == sp.OpQuery && !call.Step() {
				verdict = call.Verdict(err)
			}
			return err
		}
	})
	db, err := sqldb.Open("pgx", postgresURL(t), sp.NewChain(judge, twice{t: t}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // database/sql takes no connection
	if _, err := wrap(t, db).QueryContext(ctx, "SELECT 1"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if verdict.Outcome != fault.OutcomeNotSent || verdict.Class != fault.ClassCanceled {
		t.Errorf("verdict %+v, want one of a call that was not sent", verdict)
	}
}

func TestATransactionOfAFork(t *testing.T) {
	t.Parallel()
	begin := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op != sp.OpBegin || call.Scope != sp.ScopePool {
				return next(ctx, call)
			}
			fork, ok := call.Fork()
			if !ok {
				t.Error("BEGIN can't be forked")
			}
			err := next(ctx, fork)
			call.Adopt(fork)
			return err
		}
	})
	ended := 0
	count := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op == sp.OpBegin {
				call.OnFinish(func(error) { ended++ })
			}
			return next(ctx, call)
		}
	})
	db, err := sqldb.Open("pgx", postgresURL(t), sp.NewChain(count, begin))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := wrap(t, db).BeginTx(t.Context(), &sql.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ended != 0 {
		t.Error("BEGIN is finished before the transaction")
	}
	if _, err := tx.ExecContext(t.Context(), "CREATE TABLE t (a int)"); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(); err != nil || ended != 1 {
		t.Errorf("Commit() = %v, finished %d times", err, ended)
	}
}
