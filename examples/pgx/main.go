package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/examples/internal/spantree"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run plays the three acts, and prints to w what happened.
func run(ctx context.Context, w io.Writer) (err error) {
	database, giveBack, err := dbtest.Borrow(ctx, dbtest.KindPostgres)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, giveBack()) }()

	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	s, err := openShop(ctx, database.URL(), provider)
	if err != nil {
		return err
	}
	defer s.close(context.WithoutCancel(ctx))

	tracer := provider.Tracer("pgx")
	for _, act := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"fill the stock", s.fill},
		{"sell while another session sells", s.compete},
		{"lose every connection", s.cutOff},
	} {
		ctx, span := tracer.Start(ctx, act.name)
		err := act.do(ctx)
		span.End()
		if err != nil {
			return fmt.Errorf("pgx: %s: %w", act.name, err)
		}
	}
	if err := spans.Print(w); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n"+s.summary(spans.Spans()))
	return err
}

// summary says in a few lines what was counted.
func (s *shop) summary(spans []sdktrace.ReadOnlySpan) string {
	retries := 0
	for _, span := range spans {
		for _, e := range span.Events() {
			if e.Name == string(sessionproxy.EventRetry) {
				retries++
			}
		}
	}
	return fmt.Sprintf("stock      %d items by COPY, %d of them under one euro\n"+
		"sellers    each sold a lamp, and %d are gone\n"+
		"server     ended %d connections, and nobody noticed\n"+
		"pipeline   repeated %d times\n", s.loaded, s.cheap, s.sold, s.lost, retries)
}
