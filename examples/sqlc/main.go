package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/examples/internal/spantree"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run lends books through both kinds of generated code, and prints to w what
// happened.
func run(ctx context.Context, w io.Writer) (err error) {
	database, giveBack, err := dbtest.Borrow(ctx, dbtest.KindPostgres)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, giveBack()) }()

	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	chain, err := chainTo(provider)
	if err != nil {
		return err
	}
	var out strings.Builder
	for _, lend := range []func(context.Context, string, sessionproxy.Chain, *strings.Builder) error{lendNative, lendStandard} {
		if err := lend(ctx, database.URL(), chain, &out); err != nil {
			return fmt.Errorf("sqlc: %w", err)
		}
	}
	if _, err := io.WriteString(w, out.String()+"\n"); err != nil {
		return err
	}
	return spans.Print(w)
}

// chainTo returns the pipeline that both kinds of code run through.
func chainTo(provider *sdktrace.TracerProvider) (sessionproxy.Chain, error) {
	tracer, err := tracing.New(tracing.WithTracerProvider(provider))
	if err != nil {
		return sessionproxy.Chain{}, err
	}
	retrier, err := retry.New()
	if err != nil {
		return sessionproxy.Chain{}, err
	}
	brk, err := breaker.New()
	if err != nil {
		return sessionproxy.Chain{}, err
	}
	return sessionproxy.NewChain(tracer, retrier, brk), nil
}
