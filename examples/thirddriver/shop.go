package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// shop is a database behind the pipeline, and what was measured in it.
type shop struct {
	db     *DB
	folder string       // that the database is in
	yield  func() error // ends the other writer's transaction; nil if there is none

	runs    int // of the transaction's function
	left    int64
	refused int // calls, by the breaker
	states  []string
}

// openShop opens a database in a folder of its own below parent.
func openShop(parent string, provider trace.TracerProvider) (*shop, error) {
	s := &shop{folder: filepath.Join(parent, "data")}
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		return nil, err
	}
	tracer, err := tracing.New(tracing.WithTracerProvider(provider))
	if err != nil {
		return nil, err
	}
	// This client waits for no lock, so that a statement may well ask again.
	retrier, err := retry.New(retry.WithLockTimeouts())
	if err != nil {
		return nil, err
	}
	brk, err := breaker.New(
		breaker.WithConsecutiveFailures(3), breaker.WithOpenTime(250*time.Millisecond), breaker.WithProbes(1),
		breaker.WithMaxWait(0), // to see calls refused, which would wait in so short an outage
		breaker.WithOnStateChange(func(c breaker.Change) { s.states = append(s.states, c.To.String()) }))
	if err != nil {
		return nil, err
	}
	chain := sessionproxy.NewChain(tracer, retrier, sessionproxy.InterceptorFunc(s.yielding), brk)
	dsn := "file:" + filepath.Join(s.folder, "shop.db") + "?_pragma=journal_mode(WAL)"
	s.db = Attach(&client{dsn: dsn}, "shop.db", chain)
	return s, nil
}

// yielding is an interceptor that ends the other writer's transaction as soon as
// a call is attempted again.
func (s *shop) yielding(next sessionproxy.Handler) sessionproxy.Handler {
	return func(ctx context.Context, call *sessionproxy.Call) error {
		if s.yield != nil && call.Attempt() > 1 {
			yield := s.yield
			s.yield = nil
			if err := yield(); err != nil {
				return err
			}
		}
		return next(ctx, call)
	}
}

// rival has another writer, of which the pipeline knows nothing, sell a lamp and
// hold the write lock until a call is attempted again.
func (s *shop) rival(ctx context.Context) (done func() error, err error) {
	other, err := s.db.client.dial()
	if err != nil {
		return nil, err
	}
	for _, text := range []string{"BEGIN IMMEDIATE", "UPDATE stock SET quantity = quantity - 1 WHERE item = 'lamp'"} {
		if _, err := other.exec(ctx, text, nil); err != nil {
			return nil, errors.Join(err, other.raw.Close())
		}
	}
	s.yield = func() error {
		_, err := other.exec(ctx, "COMMIT", nil)
		return err
	}
	return other.raw.Close, nil
}

// stock creates the table and fills it.
func (s *shop) stock(ctx context.Context) error {
	if _, err := s.db.Exec(ctx, "CREATE TABLE stock (item TEXT PRIMARY KEY, quantity INTEGER NOT NULL)"); err != nil {
		return err
	}
	_, err := s.db.Exec(ctx, "INSERT INTO stock VALUES (?, ?), (?, ?)", "lamp", 10, "chair", 4)
	return err
}

// restock meets the lock with a statement: it failed as a whole, so that it
// alone is tried again.
func (s *shop) restock(ctx context.Context) error {
	done, err := s.rival(ctx)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, "UPDATE stock SET quantity = quantity + ? WHERE item = ?", 5, "lamp")
	return errors.Join(err, done())
}

// sell meets the lock in a transaction, which is replayed as a whole, and reads
// the stock anew.
func (s *shop) sell(ctx context.Context) error {
	done, err := s.rival(ctx)
	if err != nil {
		return err
	}
	err = s.db.RunInTx(ctx, func(ctx context.Context, tx *Tx) error {
		s.runs++
		left, err := quantity(tx.Query(ctx, "SELECT quantity FROM stock WHERE item = ?", "lamp"))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE stock SET quantity = ? WHERE item = ?", left-1, "lamp")
		return err
	})
	return errors.Join(err, done())
}

// outage takes the database's folder away, so that SQLite can't open the file,
// and puts it back.
func (s *shop) outage(ctx context.Context) (err error) {
	// Open files would survive the move.
	if err := s.db.client.closeIdle(); err != nil {
		return err
	}
	away := s.folder + ".away"
	if err := os.Rename(s.folder, away); err != nil {
		return err
	}
	var retryAfter time.Duration
	for range 6 {
		_, err := s.lamps(ctx)
		if err == nil {
			return errors.New("the database is away, but it answered")
		}
		if open, ok := errors.AsType[*breaker.OpenError](err); ok && errors.Is(err, fault.ErrRejected) {
			s.refused++
			retryAfter = open.RetryAfter
		}
	}
	if err := os.Rename(away, s.folder); err != nil {
		return err
	}
	select {
	case <-time.After(retryAfter):
	case <-ctx.Done():
		return ctx.Err()
	}
	s.left, err = s.lamps(ctx)
	return err
}

// lamps returns how many lamps there are.
func (s *shop) lamps(ctx context.Context) (int64, error) {
	return quantity(s.db.Query(ctx, "SELECT quantity FROM stock WHERE item = ?", "lamp"))
}

// quantity reads the one number of a query, and closes its rows.
func quantity(rows *Rows, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	row := make([]driver.Value, 1)
	err = rows.Next(row)
	if err = errors.Join(err, rows.Close()); err != nil {
		return 0, err
	}
	n, ok := row[0].(int64)
	if !ok {
		return 0, fmt.Errorf("a quantity is a %T", row[0])
	}
	return n, nil
}

// summary says in a few lines what was counted.
func (s *shop) summary() string {
	return fmt.Sprintf("transaction  its function ran %d times\n"+
		"lamps        10, 5 more, 3 sold by two writers: %d\n"+
		"breaker      closed → %s; %d calls refused\n", s.runs, s.left, strings.Join(s.states, " → "), s.refused)
}
