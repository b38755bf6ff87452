// Command streams reads millions of rows through engine.Stream on SQLite,
// MariaDB and PostgreSQL, and prints how far the heap grew, how long it took,
// and how long it takes to stop a stream that has hardly begun.
//
//	go run ./cmd/streams -rows 5000000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	rows := flag.Int("rows", 5_000_000, "how many rows to read")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := printAll(ctx, *rows); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// printAll measures every database and prints a table.
func printAll(ctx context.Context, rows int) error {
	fmt.Println("database    read as       rows  heap above start    time  rows/second      stop")
	for _, s := range sources {
		if err := s.measure(ctx, rows, func(m measurement) {
			fmt.Printf("%-10s  %-7s %10d %13.1f MiB %5.1f s %12.0f %9s\n",
				m.database, m.readAs, m.rows, float64(m.heap)/(1<<20), m.took.Seconds(), float64(m.rows)/m.took.Seconds(), m.stop.Round(10*time.Microsecond))
		}); err != nil {
			return fmt.Errorf("%s: %w", s.database, err)
		}
	}
	return nil
}
