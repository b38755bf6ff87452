package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionproxy/sessionproxy/examples/internal/spantree"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run plays the acts on a database in a new folder, and prints to w what
// happened.
func run(ctx context.Context, w io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "thirddriver-")
	if err != nil {
		return fmt.Errorf("thirddriver: make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	s, err := openShop(folder, provider)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.client.closeIdle()) }()

	tracer := provider.Tracer("thirddriver")
	for _, act := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"open the shop", s.stock},
		{"restock while another writer holds the lock", s.restock},
		{"sell in a transaction while another writer holds the lock", s.sell},
		{"lose the database, and get it back", s.outage},
	} {
		ctx, span := tracer.Start(ctx, act.name)
		err := act.do(ctx)
		span.End()
		if err != nil {
			return fmt.Errorf("thirddriver: %s: %w", act.name, err)
		}
	}
	if err := spans.Print(w); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n"+s.summary())
	return err
}
