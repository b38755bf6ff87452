package pgxdb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
)

func batch(texts ...string) *pgx.Batch {
	b := &pgx.Batch{}
	for _, text := range texts {
		b.Queue(text)
	}
	return b
}

func TestABatchIsOneCall(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	for name, tc := range map[string]struct {
		batch *pgx.Batch
		text  string
		size  int
	}{
		"uniform": {batch("SELECT 1", "SELECT 1"), "SELECT 1", 2},
		"mixed":   {batch("SELECT 1", "SELECT 2"), "SELECT 1; SELECT 2", 2},
		"single":  {batch("SELECT 1"), "SELECT 1", 1},
		"empty":   {batch(), "", 0},
	} {
		if err := pool.SendBatch(t.Context(), tc.batch).Close(); err != nil {
			t.Fatal(name, err)
		}
		calls := rec.take()
		wantOps(t, calls, sp.OpBatch)
		if c := calls[0]; c.text != tc.text || c.size != tc.size || c.end != nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	sound(t, pool)
}

// TestResultsOfABatchAreReadInEveryWay reads the first result, which was
// peeked at, and a later one by each method.
func TestResultsOfABatchAreReadInEveryWay(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	const three = "SELECT generate_series(1, 3)"
	r := pool.SendBatch(t.Context(), batch(three, three, three))
	for range 2 {
		rows := must(r.Query())
		if got, err := pgx.CollectRows(rows, pgx.RowTo[int]); err != nil || !slices.Equal(got, []int{1, 2, 3}) {
			t.Error(got, err)
		}
	}
	var n int
	if err := r.QueryRow().Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
	if err := r.Close(); err != nil || r.Close() != nil {
		t.Error(err)
	}
	if calls := rec.take(); calls[0].read != 7 {
		t.Errorf("%d rows were read, want 7", calls[0].read)
	}
	r = pool.SendBatch(t.Context(), batch(three, three))
	for range 2 {
		if tag, err := r.Exec(); err != nil || tag.RowsAffected() != 3 {
			t.Error(tag, err)
		}
	}
	if _, err := r.Exec(); err == nil {
		t.Error("a batch of two has three results")
	}
	_ = r.Close()
	sound(t, pool)
}

func TestFunctionsQueuedWithABatchRunOnce(t *testing.T) {
	t.Parallel()
	pool, _ := newPool(t)
	b := &pgx.Batch{}
	var got []int
	for i := range 3 {
		b.Queue("SELECT $1::int", i).QueryRow(func(row pgx.Row) error {
			var n int
			err := row.Scan(&n)
			got = append(got, n)
			return err
		})
	}
	tags := 0
	b.Queue("SELECT 1").Exec(func(pgconn.CommandTag) error { tags++; return nil })
	r := pool.SendBatch(t.Context(), b)
	if err := errors.Join(r.Close(), r.Close()); err != nil || !slices.Equal(got, []int{0, 1, 2}) || tags != 1 {
		t.Error(got, tags, err)
	}
	b = &pgx.Batch{}
	b.Queue("SELECT 1").Exec(func(pgconn.CommandTag) error { return errRefused })
	b.Queue("SELECT 1").Exec(func(pgconn.CommandTag) error { t.Error("called after an error"); return nil })
	if err := pool.SendBatch(t.Context(), b).Close(); !errors.Is(err, errRefused) {
		t.Error(err)
	}
	sound(t, pool)
}

func TestTheFirstErrorOfABatchReachesTheHandler(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	err := pool.SendBatch(t.Context(), batch("SELECT 1/0", "SELECT 1")).Close()
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "22012" {
		t.Error(err)
	}
	if calls := rec.take(); calls[0].err == nil || calls[0].finished != 1 {
		t.Errorf("%+v", calls[0])
	}
	sound(t, pool)
}

func TestALaterErrorOfABatchIsAnEvent(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	r := pool.SendBatch(t.Context(), batch("SELECT 1", "SELECT 1/0", "SELECT 1"))
	if _, err := r.Exec(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Exec(); err == nil {
		t.Fatal("no error")
	}
	rec.mu.Lock()
	events := slices.Clone(rec.events)
	rec.mu.Unlock()
	if len(events) != 1 || events[0].Kind != sp.EventStatementFailed || events[0].Attempt != 2 {
		t.Errorf("events %+v", events)
	}
	if err := r.Close(); err == nil {
		t.Error("closing does not repeat the error")
	}
	if calls := rec.take(); calls[0].err != nil || calls[0].end == nil {
		t.Errorf("%+v", calls[0])
	}
	sound(t, pool)
}

func TestABatchMayBeginATransaction(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	exec(t, pool, "CREATE TABLE t (n int)")
	rec.take()
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	b.Queue("INSERT INTO t VALUES (1)")
	r := pool.SendBatch(t.Context(), b)
	tx := r.Tx()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ours := tx.(*pgxdb.Tx); !ours {
		t.Fatal("the transaction does not pass through the chain")
	}
	exec(t, tx.(*pgxdb.Tx), "INSERT INTO t VALUES (2)")
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOps(t, rec.take(), sp.OpBatch, sp.OpExec, sp.OpCommit)
	if n := count(t, pool, "SELECT sum(n) FROM t"); n != 3 {
		t.Errorf("the sum is %d, want 3", n)
	}
	sound(t, pool)

	b = &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{IsoLevel: "no such level"})
	r = pool.SendBatch(t.Context(), b)
	if err := r.Close(); err == nil || r.Tx() == nil || !errors.Is(r.Tx().Commit(t.Context()), pgx.ErrTxClosed) {
		t.Error("a transaction that never began:", err)
	}
	sound(t, pool)
}

// TestEventsOfAnAbandonedBatchDoNotRaceWithItsEnd fails under the race detector
// if a statement's event and the end of the call's context meet.
func TestEventsOfAnAbandonedBatchDoNotRaceWithItsEnd(t *testing.T) {
	t.Parallel()
	watch := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op == sp.OpBatch {
				told := 0 // unguarded: the finish hook and the listener must not meet
				call.Watch(func(sp.Event) { told++ }, func(error) { told++ })
			}
			return next(ctx, call)
		}
	})
	pool, _ := newPool(t, watch)
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		results := pool.SendBatch(ctx, batch("SELECT 1", "SELECT 1/0"))
		if _, err := results.Exec(); err != nil {
			t.Fatal(err)
		}
		go cancel()
		if _, err := results.Exec(); err == nil {
			t.Error("a division by zero succeeded")
		}
		_ = results.Close()
		cancel()
	}
	sound(t, pool)
}

// A function that was queued with a batch may panic, or end its goroutine: the call
// is finished and its connection is given back, whoever recovers.
func TestABatchWhoseFunctionDoesNotReturnIsFinished(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(){"panic": func() { panic("a function of a batch") }, "Goexit": runtime.Goexit} {
		for place := range 3 {
			t.Run(fmt.Sprintf("%s in function %d", name, place), func(t *testing.T) {
				t.Parallel()
				pool, rec := newPool(t)
				b := batch("SELECT 0", "SELECT 1", "SELECT 2")
				b.QueuedQueries[place].QueryRow(func(pgx.Row) error { end(); return nil })
				done := make(chan any)
				go func() {
					defer func() { done <- recover() }()
					r := pool.SendBatch(t.Context(), b)
					defer r.Close()
					_ = r.Close()
				}()
				if v := <-done; (v != nil) != (name == "panic") {
					t.Errorf("recovered %v", v)
				}
				sound(t, pool)
				if calls := rec.take(); !errors.Is(calls[0].end, sp.ErrAborted) {
					t.Errorf("the call ended with %v", calls[0].end)
				}
				if _, err := pool.Exec(t.Context(), "SELECT 1"); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestAListenerThatBlocksDoesNotKeepAnAbandonedBatch has a listener wait for the
// end of its own call, which it must not.
func TestAListenerThatBlocksDoesNotKeepAnAbandonedBatch(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	outer := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op == sp.OpBatch {
				call.Watch(func(sp.Event) { cancel(); <-ended }, func(error) { close(ended) })
			}
			return next(ctx, call)
		}
	})
	pool, _ := newPool(t, outer)
	b := &pgx.Batch{}
	b.Queue("SELECT 1")
	b.Queue("SELECT 1/0")
	results := pool.SendBatch(ctx, b)
	_, _ = results.Exec()
	if _, err := results.Exec(); err == nil {
		t.Error("no error")
	}
	_ = results.Close()
}
