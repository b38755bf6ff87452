package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// A deed is something a service does with its database; what it returns does
// not depend on the chain as long as nothing fails.
type deed struct {
	name string
	do   func(ctx context.Context, db *sqldb.DB) (string, error)
}

var deeds = []deed{
	{"write", func(ctx context.Context, db *sqldb.DB) (string, error) {
		r, err := db.ExecContext(ctx, "INSERT INTO goods (name) VALUES (?), (?)", "a", "b")
		if err != nil {
			return "", err
		}
		n, err := r.RowsAffected()
		return fmt.Sprint(n, " rows"), err
	}},
	{"break a rule", func(ctx context.Context, db *sqldb.DB) (string, error) {
		_, err := db.ExecContext(ctx, "INSERT INTO goods (name) VALUES (NULL)")
		return "", err
	}},
	{"read all", func(ctx context.Context, db *sqldb.DB) (string, error) { return read(ctx, db, 1<<30) }},
	{"read all, declared so", func(ctx context.Context, db *sqldb.DB) (string, error) {
		return read(sp.WithReadOnly(ctx), db, 1<<30)
	}},
	{"read the first row only", func(ctx context.Context, db *sqldb.DB) (string, error) { return read(ctx, db, 1) }},
	{"read one row", func(ctx context.Context, db *sqldb.DB) (string, error) {
		var n int
		err := db.QueryRowContext(sp.WithReadOnly(ctx), "SELECT count(*) FROM goods").Scan(&n)
		return fmt.Sprint(n), err
	}},
	{"a unit of work", func(ctx context.Context, db *sqldb.DB) (string, error) {
		return "done", db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "UPDATE goods SET name = name || 'x'"); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "DELETE FROM goods WHERE id > 20")
			return err
		})
	}},
	{"a transaction that is rolled back", func(ctx context.Context, db *sqldb.DB) (string, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		defer tx.Rollback() //nolint:errcheck // it is the point
		_, err = tx.ExecContext(ctx, "DELETE FROM goods")
		return "nothing", err
	}},
	{"a prepared statement", func(ctx context.Context, db *sqldb.DB) (string, error) {
		st, err := db.PrepareContext(ctx, "SELECT name FROM goods WHERE id = ?")
		if err != nil {
			return "", err
		}
		defer st.Close() //nolint:errcheck // it is read through
		var name string
		err = st.QueryRowContext(ctx, 1).Scan(&name)
		return name, err
	}},
}

// read returns the first rows of a query.
func read(ctx context.Context, db *sqldb.DB, most int) (string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM goods ORDER BY id")
	if err != nil {
		return "", err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var got []string
	for len(got) < most && rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", err
		}
		got = append(got, name)
	}
	return strings.Join(got, " "), rows.Err()
}

// act does a deed as a request does: with a context of its own, on a goroutine
// of its own, which may panic or end.
func (d deed) act(db *sqldb.DB) (got string, err error) {
	base, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	ctx := context.WithValue(base, cancelKey{}, cancel)
	over := make(chan struct{})
	go func() {
		defer close(over)
		err = errors.New("the goroutine came to its end")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("a panic: %v", p)
			}
		}()
		got, err = d.do(ctx, db)
	}()
	<-over
	return got, err
}

// shelf returns a table with a few rows, on SQLite, behind chain.
func shelf(t testing.TB, chain sp.Chain) (*sqldb.DB, func() error) {
	t.Helper()
	dsn := "file:" + dbtest.SQLite(t) + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)"
	maker := must(sql.Open("sqlite", dsn))
	mustExec(t, maker, "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", "INSERT INTO goods (name) VALUES ('a'), ('b'), ('c')")
	db := must(sqldb.Open("sqlite", dsn, chain))
	db.SetMaxOpenConns(20)
	return must(sqldb.Wrap(db)), func() error { return errors.Join(db.Close(), maker.Close()) }
}

// TestAnyOrderOfTheKitKeepsResults holds the first law: while nothing fails,
// no order of any of the interceptors changes what a service sees.
func TestAnyOrderOfTheKitKeepsResults(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation(kitNames).Draw(rt, "order")[:rapid.IntRange(0, len(kitNames)).Draw(rt, "links")]
		todo := rapid.SliceOfN(rapid.SampledFrom(deeds), 1, 8).Draw(rt, "deeds")
		k := newKit(t, time.Minute, []string{passes})
		plain, closePlain := shelf(t, sp.NewChain())
		behind, closeBehind := shelf(t, k.chain(order))
		for _, d := range todo {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			want, wantErr := d.do(ctx, plain)
			got, err := d.do(ctx, behind)
			cancel()
			if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				rt.Errorf("%s: %q, error %v; without the chain %q, error %v", d.name, got, err, want, wantErr)
			}
		}
		if err := errors.Join(closePlain(), closeBehind(), k.settled(order)); err != nil {
			rt.Error(err)
		}
	})
}

// TestNoOrderOfTheKitLeaks holds the second: whatever fails, hangs, panics or
// is given up below any order of the interceptors, every call and span ends
// once, permits and connections come back, and the service works afterwards.
func TestNoOrderOfTheKitLeaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation(kitNames).Draw(rt, "order")
		acts := rapid.SliceOfN(rapid.SampledFrom(mischief), 1, 12).Draw(rt, "acts")
		todo := rapid.SliceOfN(rapid.SampledFrom(deeds), 1, 8).Draw(rt, "deeds")
		k := newKit(t, 5*time.Millisecond, acts)
		db, closeDB := shelf(t, k.chain(order))
		for _, d := range todo {
			_, _ = d.act(db)
		}
		k.trouble.off.Store(true)
		if err := k.works(db); err != nil {
			rt.Error(err)
		}
		if n := idle(db); n != 0 && !k.trouble.lost.Load() {
			rt.Errorf("%d connections are in use", n)
		}
		if err := errors.Join(closeDB(), k.settled(order)); err != nil {
			rt.Error(err)
		}
	})
}

// idle waits a while for all connections to come back, which database/sql sees
// to on a goroutine of its own after a cancellation, and returns how many did
// not.
func idle(db *sqldb.DB) int {
	for range 200 {
		if db.Stats().InUse == 0 {
			return 0
		}
		time.Sleep(time.Millisecond)
	}
	return db.Stats().InUse
}

// works waits until the breaker has recovered: as many calls as the limit has
// permits, at once, all succeed.
func (k *kit) works(db *sqldb.DB) error {
	var err error
	for range 200 {
		errs := make([]error, k.limiter.Stats().Limit)
		over := make(chan struct{})
		for i := range errs {
			go func() {
				_, errs[i] = read(context.Background(), db, 1)
				over <- struct{}{}
			}()
		}
		for range errs {
			<-over
		}
		if err = errors.Join(errs...); err == nil {
			return nil
		}
		time.Sleep(openTime)
	}
	return fmt.Errorf("the service does not recover: %w", err)
}

// settled says what has not come to its end, or has more than once.
func (k *kit) settled(order []string) error {
	err := errors.Join(k.calls.check("calls"), k.inner.check("attempts"))
	if slices.Contains(order, "tracing") {
		err = errors.Join(err, k.spans.check("spans"))
	}
	if s := k.limiter.Stats(); s.InUse != 0 || s.Waiting != 0 {
		err = errors.Join(err, fmt.Errorf("permits: %+v", s))
	}
	return err
}
