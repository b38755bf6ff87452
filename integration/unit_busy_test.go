package integration_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/retry"
)

// TestAUnitWhoseBeginWaitedInVainIsReplayed lets units begin while another
// connection writes, with BEGIN IMMEDIATE and a small busy timeout, until one was
// replayed.
func TestAUnitWhoseBeginWaitedInVainIsReplayed(t *testing.T) {
	t.Parallel()
	const insert = "INSERT INTO item VALUES (1)"
	attachments := map[string]func(t *testing.T, file string, chain ...sp.Interceptor) func() error{
		"sqldb": func(t *testing.T, file string, chain ...sp.Interceptor) func() error {
			db := openDSN(t, "sqlite", file+"?_pragma=busy_timeout(1)&_txlock=immediate", chain...)
			return func() error {
				return db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, insert)
					return err
				})
			}
		},
		"engine": func(t *testing.T, file string, chain ...sp.Interceptor) func() error {
			e := openEngine(t, "sqlite:"+file[len("file:"):]+"?busy_timeout=1ms", engine.WithChain(sp.NewChain(chain...)))
			return func() error {
				return e.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
					_, err := tx.Execute(ctx, engine.Text(insert))
					return err
				})
			}
		},
	}
	for name, attach := range attachments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := faultSQLiteFile(t, "")
			file = file[:len(file)-len("?")]
			raw := openDSN(t, "sqlite", file+"?_pragma=journal_mode(wal)&_txlock=immediate")
			mustExec(t, raw, "CREATE TABLE item (id INTEGER PRIMARY KEY)")
			w := &watch{}
			unit := attach(t, file, w, must(retry.New(retry.WithAttempts(100), retry.WithoutBudget())))
			other, err := raw.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() { done <- unit() }()
			for w.count(sp.EventRetry) == 0 {
				select {
				case err := <-done:
					t.Fatalf("the unit ended with %v, without a replay", err)
				default:
					time.Sleep(time.Millisecond)
				}
			}
			if err := other.Rollback(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if n := scalar[int](t, raw, "SELECT count(*) FROM item"); n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}
