package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
)

// callers are twelve goroutines and what they saw.
type callers struct {
	pool  *pgxdb.Pool
	start time.Time

	mu      sync.Mutex
	acked   []string
	unknown []string
	failed  []error
	units   []int // that succeeded, per slice of time
	reads   []int
	notRead []error
	slowest time.Duration
}

// work moves money and reads balances until ctx ends.
func (c *callers) work(ctx context.Context) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("%d-%d", w, n)
				from, to := (w*31+n)%accounts, (w*17+n*7+1)%accounts
				begun := time.Now()
				err := c.transfer(context.WithoutCancel(ctx), id, min(from, to), max(from, to))
				c.noteUnit(id, err, time.Since(begun))
			}
		})
		wg.Go(func() {
			for n := w; sleep(ctx, pauseOfReaders); n++ {
				c.noteRead(c.read(context.WithoutCancel(ctx), n%accounts))
			}
		})
	}
	wg.Wait()
}

// transfer moves one unit of money: on the primary, whichever that is when an
// attempt begins.
func (c *callers) transfer(ctx context.Context, id string, from, to int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance - 1 WHERE id = $1", from); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance + 1 WHERE id = $1", to); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO transfers VALUES ($1)", id)
		return err
	})
}

// read reads a balance, which may be a little old: on a replica.
func (c *callers) read(ctx context.Context, id int) error {
	ctx, cancel := context.WithTimeout(sessionproxy.WithReadOnly(ctx), patience)
	defer cancel()
	var balance int
	return c.pool.QueryRow(ctx, "SELECT balance FROM accounts WHERE id = $1", id).Scan(&balance)
}

func (c *callers) noteUnit(id string, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slowest = max(c.slowest, took)
	switch {
	case err == nil:
		c.acked = append(c.acked, id)
		c.units = c.tick(c.units)
	case errors.Is(err, sessionproxy.ErrCommitUnknown):
		c.unknown = append(c.unknown, id)
	default:
		c.failed = append(c.failed, err)
	}
}

func (c *callers) noteRead(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.notRead = append(c.notRead, err)
		return
	}
	c.reads = c.tick(c.reads)
}

// tick counts one in the slice of time that is now.
func (c *callers) tick(counts []int) []int {
	at := int(time.Since(c.start) / slice)
	for len(counts) <= at {
		counts = append(counts, 0)
	}
	counts[at]++
	return counts
}
