package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/trace"
	_ "modernc.org/sqlite" // the driver

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// shop is a database behind the pipeline, and what was measured in it.
type shop struct {
	db      *sqldb.DB
	folder  string // that the database is in
	dsn     string
	tracer  trace.Tracer
	changes []breaker.Change

	sold     int           // lamps, by both sellers
	refused  int           // calls, by the breaker
	refusing time.Duration // took all of that together
}

// openShop opens a database in a folder of its own below parent.
func openShop(parent string, provider trace.TracerProvider) (*shop, error) {
	s := &shop{folder: filepath.Join(parent, "data"), tracer: provider.Tracer("quickstart")}
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		return nil, fmt.Errorf("quickstart: %w", err)
	}
	s.dsn = "file:" + filepath.Join(s.folder, "shop.db") + "?_pragma=journal_mode(WAL)"

	chain, err := s.chain(provider)
	if err != nil {
		return nil, err
	}
	db, err := sqldb.Open("sqlite", s.dsn, chain)
	if err != nil {
		return nil, err
	}
	s.db, err = sqldb.Wrap(db)
	return s, err
}

// chain returns the pipeline; the first interceptor is outermost.
func (s *shop) chain(provider trace.TracerProvider) (sessionproxy.Chain, error) {
	var none sessionproxy.Chain
	tracer, err := tracing.New(tracing.WithTracerProvider(provider))
	if err != nil {
		return none, err
	}
	overall, err := timeout.New(2 * time.Second)
	if err != nil {
		return none, err
	}
	retrier, err := retry.New()
	if err != nil {
		return none, err
	}
	brk, err := breaker.New(
		breaker.WithConsecutiveFailures(3), breaker.WithOpenTime(250*time.Millisecond), breaker.WithProbes(1),
		breaker.WithMaxWait(0), // to see calls refused, which would wait in so short an outage
		breaker.WithOnStateChange(func(c breaker.Change) { s.changes = append(s.changes, c) }))
	if err != nil {
		return none, err
	}
	return sessionproxy.NewChain(tracer, overall, retrier, brk), nil
}

// act is a part of the play, with a span of its own.
type act struct {
	name string
	do   func(context.Context) error
}

func (s *shop) perform(ctx context.Context, a act) error {
	ctx, span := s.tracer.Start(ctx, a.name)
	defer span.End()
	if err := a.do(ctx); err != nil {
		return fmt.Errorf("quickstart: %s: %w", a.name, err)
	}
	return nil
}

// stock creates the shop's tables and fills them.
func (s *shop) stock(ctx context.Context) error {
	for _, statement := range []string{
		"CREATE TABLE stock (item TEXT PRIMARY KEY, quantity INTEGER NOT NULL CHECK (quantity >= 0))",
		"CREATE TABLE sales (item TEXT NOT NULL, quantity INTEGER NOT NULL)",
	} {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if _, err := s.db.ExecContext(ctx, "INSERT INTO stock VALUES (?, ?), (?, ?)", "lamp", 10, "chair", 4); err != nil {
		return err
	}
	_, err := s.quantities(ctx)
	return err
}

// quantities reads the stock, by item.
func (s *shop) quantities(ctx context.Context) (map[string]int, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT item, quantity FROM stock")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stock := map[string]int{}
	for rows.Next() {
		var item string
		var quantity int
		if err := rows.Scan(&item, &quantity); err != nil {
			return nil, err
		}
		stock[item] = quantity
	}
	return stock, rows.Err()
}

// sell takes items out of the stock, in a transaction that is performed again
// from its start if it has to be. Each performance begins with a call of
// begin, which gets its number, from 1.
func (s *shop) sell(ctx context.Context, item string, quantity int, begin func(performance int) error) error {
	performance := 0
	return s.db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
		performance++
		if err := begin(performance); err != nil {
			return err
		}
		var left int
		if err := tx.QueryRowContext(ctx, "SELECT quantity FROM stock WHERE item = ?", item).Scan(&left); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE stock SET quantity = ? WHERE item = ?", left-quantity, item); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO sales VALUES (?, ?)", item, quantity)
		return err
	})
}
