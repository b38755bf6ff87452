// Command sqlx runs sqlx, unchanged, on a handle with a pipeline.
//
//	go run ./sqlx
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/jmoiron/sqlx"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	_ "modernc.org/sqlite"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/examples/internal/spantree"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// Product is a row.
type Product struct {
	ID    int64  `db:"id"`
	Name  string `db:"name"`
	Price int64  `db:"price"` // in cents
}

func main() {
	file := flag.String("file", "file:sqlx?mode=memory&cache=shared", "the SQLite database")
	flag.Parse()
	if err := run(context.Background(), *file, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file string, w io.Writer) (err error) {
	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))

	// This is all there is to it: sqlx gets a standard *sql.DB.
	traces, err := tracing.New(tracing.WithTracerProvider(provider), tracing.WithoutRootSpans())
	if err != nil {
		return err
	}
	brk, err := breaker.New()
	if err != nil {
		return err
	}
	std, err := sqldb.Open("sqlite", file, sessionproxy.NewChain(traces, brk))
	if err != nil {
		return err
	}
	db := sqlx.NewDb(std, "sqlite")
	defer func() { err = errors.Join(err, db.Close()) }()

	const table = "CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL)"
	if _, err := db.ExecContext(ctx, table); err != nil {
		return err
	}
	ctx, span := provider.Tracer("sqlx").Start(ctx, "work")
	tea, err := work(ctx, db)
	span.End()
	if err != nil {
		return err
	}
	if err := spans.Print(w); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s %d\n", tea.Name, tea.Price)
	return err
}

// work is plain sqlx.
func work(ctx context.Context, db *sqlx.DB) (tea Product, err error) {
	products := []Product{{Name: "tea", Price: 300}, {Name: "cake", Price: 450}}
	if _, err := db.NamedExecContext(ctx, "INSERT INTO products (name, price) VALUES (:name, :price)", products); err != nil {
		return tea, err
	}
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return tea, err
	}
	defer tx.Rollback()
	if err := tx.GetContext(ctx, &tea, "SELECT id, name, price FROM products WHERE name = ?", "tea"); err != nil {
		return tea, err
	}
	tea.Price += 50
	if _, err := tx.NamedExecContext(ctx, "UPDATE products SET price = :price WHERE id = :id", tea); err != nil {
		return tea, err
	}
	return tea, tx.Commit()
}
