package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/cluster"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/retry"
)

const (
	accounts       = 200
	workers        = 12
	patience       = 5 * time.Second // of a caller
	calm           = time.Second     // before the primary is killed
	headless       = time.Second     // until a standby is promoted
	recovered      = 1500 * time.Millisecond
	slice          = 50 * time.Millisecond // of the picture
	pauseOfReaders = 10 * time.Millisecond
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run lets the failover happen, and prints to w what was seen.
func run(ctx context.Context, w io.Writer) (err error) {
	s, err := startServers(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	c := &callers{start: time.Now()}
	var views changes
	cl, err := cluster.New(pgxdb.Probe(), []cluster.NodeConfig{
		{Name: "a", DSN: s.url(0)}, {Name: "b", DSN: s.url(1)}, {Name: "c", DSN: s.url(2)},
	}, cluster.WithInterval(200*time.Millisecond), cluster.WithOnChange(func(v cluster.Change) { views.note(v, time.Since(c.start)) }))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	if c.pool, err = open(ctx, cl); err != nil {
		return err
	}
	defer c.pool.Close()
	if err := cl.Ready(ctx); err != nil {
		return err
	}
	c.start = time.Now()
	working, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { c.work(working) })
	err = s.failover(ctx)
	if err == nil && !sleep(ctx, recovered) {
		err = context.Cause(ctx)
	}
	stop()
	wg.Wait()
	if err != nil {
		return err
	}
	times, err := s.transfers(ctx)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, c.picture()+views.String()+c.summary(times))
	return err
}

// open opens the one handle: the usual chain, over all servers.
func open(ctx context.Context, cl *cluster.Cluster) (*pgxdb.Pool, error) {
	retrier, err := retry.New()
	if err != nil {
		return nil, err
	}
	brk, err := breaker.New()
	if err != nil {
		return nil, err
	}
	return pgxdb.NewCluster(ctx, cl, sessionproxy.NewChain(retrier, brk))
}

// changes are the views of the cluster, as text.
type changes struct {
	mu    sync.Mutex
	lines []string
	last  string
}

func (c *changes) note(v cluster.Change, at time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := fmt.Sprintf("primary %-4s readers %s", max(v.Primary, "-"), strings.Join(v.Readers, " "))
	if line != c.last {
		c.lines, c.last = append(c.lines, fmt.Sprintf("%6.2f s  %s\n", at.Seconds(), line)), line
	}
}

// String returns the changes, one a line.
func (c *changes) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "what the monitors saw:\n" + strings.Join(c.lines, "") + "\n"
}

// picture shows how many units and reads succeeded over time.
func (c *callers) picture() string {
	mark := func(at time.Duration, what string) string {
		return strings.Repeat(" ", int(at/slice)) + what + "\n"
	}
	return "        " + mark(calm, "↓ the primary is killed") +
		"        " + mark(calm+headless, "↓ a standby is promoted") +
		"units   " + bars(c.units) + "\nreads   " + bars(c.reads) + "\n\n"
}

// bars draws a bar for each count.
func bars(counts []int) string {
	const levels = "▁▂▃▄▅▆▇█"
	top := max(slices.Max(append(counts, 1)), 1)
	var b strings.Builder
	for _, n := range counts {
		if n == 0 {
			b.WriteRune(' ')
			continue
		}
		b.WriteRune([]rune(levels)[(n*8-1)/top])
	}
	return b.String()
}

// summary compares what the callers know with what the new primary has.
func (c *callers) summary(times map[string]int) string {
	lost, doubled, there := 0, 0, 0
	for _, id := range c.acked {
		if times[id] == 0 {
			lost++
		}
	}
	for _, id := range c.unknown {
		there += min(times[id], 1)
	}
	for _, n := range times {
		if n > 1 {
			doubled++
		}
	}
	return fmt.Sprintf("transfers   %d acknowledged, %d failed, %d unknown, of which %d are there\n"+
		"ledger      %d lost, %d made twice\n"+
		"reads       %d, %d failed\n"+
		"slowest     transfer took %.1f s, of which the failover was most\n",
		len(c.acked), len(c.failed), len(c.unknown), there, lost, doubled, sum(c.reads), len(c.notRead), c.slowest.Seconds())
}

func sum(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// sleep waits, and reports whether the context was alive at the end.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
