package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/examples/internal/spantree"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func main() {
	url := flag.String("url", "sqlite::memory:", "the database, which is to be empty")
	flag.Parse()
	if err := run(context.Background(), *url, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run plays the acts on a database, and prints to w what happened.
func run(ctx context.Context, url string, w io.Writer) (err error) {
	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	traces, err := tracing.New(tracing.WithTracerProvider(provider))
	if err != nil {
		return err
	}
	eng, err := engine.Open(ctx, url, engine.WithChain(sessionproxy.NewChain(traces)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Dispose()) }()

	b := &bank{engine: eng}
	defer func() { err = errors.Join(err, b.drop(context.WithoutCancel(ctx))) }()
	for _, act := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"make the tables", b.create},
		{"open accounts", b.openAccounts},
		{"transfer", b.transfer},
		{"overdraw", b.overdraw},
		{"lose a race", b.race},
	} {
		ctx, span := provider.Tracer("session").Start(ctx, act.name)
		err := act.do(ctx)
		span.End()
		if err != nil {
			return fmt.Errorf("session: %s: %w", act.name, err)
		}
	}
	if err := spans.Print(w); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n"+b.summary())
	return err
}
