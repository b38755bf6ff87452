package pgxdb_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/retry"
)

// numbers is a source of the numbers below n. It fails at its end the first
// time, if told to.
type numbers struct {
	n, next  int
	fail     error
	restarts int
}

func (s *numbers) Next() bool             { s.next++; return s.next <= s.n }
func (s *numbers) Values() ([]any, error) { return []any{s.next}, nil }
func (s *numbers) Err() error             { return s.fail }

// again is numbers that can be read again.
type again struct{ *numbers }

func (s again) Restart() error {
	s.next, s.fail = 0, nil
	s.restarts++
	return nil
}

// cancelCopy makes the first COPY of a pool fail with a fault that allows it
// to be repeated: a lock that was not to be had, and then is.
func cancelCopy(t *testing.T, pool *pgxdb.Pool) (release func()) {
	t.Helper()
	tx := must(pool.Unwrap().Begin(t.Context()))
	if _, err := tx.Exec(t.Context(), "LOCK TABLE t"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestCopyIsACall(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	exec(t, pool, `CREATE TABLE "a table" (n int)`)
	rec.take()
	n, err := pool.CopyFrom(t.Context(), pgx.Identifier{"a table"}, []string{"n"}, &numbers{n: 1000})
	if err != nil || n != 1000 {
		t.Fatal(n, err)
	}
	calls := rec.take()
	wantOps(t, calls, sp.OpCopy)
	if c := calls[0]; c.affected != 1000 || !strings.HasPrefix(c.text, `COPY "a table"`) {
		t.Errorf("%+v", c)
	}
	sound(t, pool)
}

func TestCopyIsRepeatedOnlyIfItsSourceCanBeginAnew(t *testing.T) {
	t.Parallel()
	for _, restartable := range []bool{false, true} {
		var release func()
		// Frees the lock between the attempts.
		free := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				err := next(ctx, call)
				if call.Op == sp.OpCopy && err != nil && release != nil {
					release()
					release = nil
				}
				return err
			}
		})
		pool, _ := newPool(t, must(retry.New(retry.WithLockTimeouts())), free)
		exec(t, pool, "CREATE TABLE t (n int)")
		exec(t, pool, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 100', current_database()); END $$")
		pool.Reset()
		release = cancelCopy(t, pool)
		src := &numbers{n: 10}
		var source pgx.CopyFromSource = src
		if restartable {
			source = again{src}
		}
		_, err := pool.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n"}, source)
		rows := count(t, pool, "SELECT count(*) FROM t")
		if restartable && (err != nil || src.restarts != 1 || rows != 10) {
			t.Errorf("restarted %d times, %d rows, %v", src.restarts, rows, err)
		}
		if !restartable && (err == nil || rows != 0) {
			t.Errorf("a source that is used up was read again: %d rows, %v", rows, err)
		}
		sound(t, pool)
	}
}

func TestAFailingSourceFailsTheCopy(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	exec(t, pool, "CREATE TABLE t (n int)")
	rec.take()
	_, err := pool.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n"}, &numbers{n: 10, fail: errRefused})
	if calls := rec.take(); err == nil || calls[0].err == nil || errors.Is(err, sp.ErrCommitUnknown) {
		t.Error(err)
	}
	if n := count(t, pool, "SELECT count(*) FROM t"); n != 0 {
		t.Errorf("%d rows", n)
	}
	sound(t, pool)
}
