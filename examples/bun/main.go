// Command bun runs bun, unchanged, on a handle with a pipeline.
//
//	go run ./bun
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	_ "modernc.org/sqlite"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/examples/internal/spantree"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// Product is bun's model.
type Product struct {
	ID    int64 `bun:",pk,autoincrement"`
	Name  string
	Price int64 // in cents
}

func main() {
	file := flag.String("file", "file:bun?mode=memory&cache=shared", "the SQLite database")
	flag.Parse()
	if err := run(context.Background(), *file, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file string, w io.Writer) (err error) {
	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))

	// This is all there is to it: bun gets a standard *sql.DB.
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
	db := bun.NewDB(std, sqlitedialect.New())
	defer func() { err = errors.Join(err, db.Close()) }()

	if _, err := db.NewCreateTable().Model((*Product)(nil)).IfNotExists().Exec(ctx); err != nil {
		return err
	}
	ctx, span := provider.Tracer("bun").Start(ctx, "work")
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

// work is plain bun.
func work(ctx context.Context, db *bun.DB) (tea Product, err error) {
	if _, err := db.NewInsert().Model(&[]Product{{Name: "tea", Price: 300}, {Name: "cake", Price: 450}}).Exec(ctx); err != nil {
		return tea, err
	}
	err = db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if err := tx.NewSelect().Model(&tea).Where("name = ?", "tea").Scan(ctx); err != nil {
			return err
		}
		tea.Price += 50
		_, err := tx.NewUpdate().Model(&tea).Column("price").WherePK().Exec(ctx)
		return err
	})
	return tea, err
}
