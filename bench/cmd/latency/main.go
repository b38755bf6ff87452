// Command latency compares blocking and async sessions over a link that takes
// a while: 100 statements in a transaction on PostgreSQL.
//
//	go run -C bench ./cmd/latency [-oneway 500us] [-rounds 15]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/sessionproxy/sessionproxy/bench"
)

func main() {
	oneWay := flag.Duration("oneway", 500*time.Microsecond, "how long the link takes in each direction")
	rounds := flag.Int("rounds", 15, "rounds of every measurement, of which the median is printed")
	flag.Parse()
	if err := bench.Latency(context.Background(), os.Stdout, *oneWay, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}
