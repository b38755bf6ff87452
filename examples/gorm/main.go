// Command gorm runs gorm, unchanged, on a handle with a pipeline: spans, retry
// of reads, a breaker.
//
//	go run ./gorm
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/examples/internal/spantree"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// Product is gorm's model.
type Product struct {
	ID    uint
	Name  string
	Price int64 // in cents
}

func main() {
	file := flag.String("file", "file:gorm?mode=memory&cache=shared", "the SQLite database")
	flag.Parse()
	if err := run(context.Background(), *file, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file string, w io.Writer) (err error) {
	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))

	// This is all there is to it: gorm gets a standard *sql.DB.
	traces, err := tracing.New(tracing.WithTracerProvider(provider), tracing.WithoutRootSpans())
	if err != nil {
		return err
	}
	brk, err := breaker.New()
	if err != nil {
		return err
	}
	db, err := sqldb.Open("sqlite", file, sessionproxy.NewChain(traces, brk))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	g, err := gorm.Open(&gormsqlite.Dialector{Conn: db}, &gorm.Config{})
	if err != nil {
		return err
	}

	if err := g.AutoMigrate(&Product{}); err != nil {
		return err
	}
	ctx, span := provider.Tracer("gorm").Start(ctx, "work")
	tea, err := work(g.WithContext(ctx))
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

// work is plain gorm.
func work(g *gorm.DB) (tea Product, err error) {
	if err := g.Create(&[]Product{{Name: "tea", Price: 300}, {Name: "cake", Price: 450}}).Error; err != nil {
		return tea, err
	}
	err = g.Transaction(func(tx *gorm.DB) error {
		if err := tx.First(&tea, "name = ?", "tea").Error; err != nil {
			return err
		}
		return tx.Model(&tea).Update("price", tea.Price+50).Error
	})
	return tea, err
}
