package main

import (
	"context"
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

const legend = "A line is a span: name, begin, duration. • is an event, ✗ a failure.\n\n"

// run plays the three acts on a database in a new folder, and prints to w what
// happened.
func run(ctx context.Context, w io.Writer) error {
	folder, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return fmt.Errorf("quickstart: make a folder: %w", err)
	}
	defer os.RemoveAll(folder)

	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	s, err := openShop(folder, provider)
	if err != nil {
		return err
	}
	defer s.db.Close()

	for _, a := range []act{
		{"open the shop", s.stock},
		{"sell while another writer holds the lock", s.sellUnderLock},
		{"lose the database, and get it back", s.outage},
	} {
		if err := s.perform(ctx, a); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w, legend); err != nil {
		return err
	}
	if err := spans.Print(w); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n"+s.summary(spans.Spans()))
	return err
}
