package sqldb_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// drowsy is a recorder that is off, except for calls whose context says so.
type drowsy struct{ *recorder }

type awakeKey struct{}

func awake(ctx context.Context) context.Context { return context.WithValue(ctx, awakeKey{}, true) }

func (drowsy) Enabled(ctx context.Context, _ sp.Op) bool { return ctx.Value(awakeKey{}) != nil }

// openDrowsy opens a database behind a drowsy chain, on one connection.
func openDrowsy(t *testing.T) (*sql.DB, *recorder) {
	t.Helper()
	rec := &recorder{}
	db, err := sqldb.Open("pgx", postgresURL(t), sp.NewChain(drowsy{rec}))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, rec
}

func TestStatementsBypassAChainThatIsOff(t *testing.T) {
	t.Parallel()
	db, rec := openDrowsy(t)
	w, err := sqldb.Wrap(db)
	if err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []context.Context{t.Context(), awake(t.Context())} {
		if _, err := w.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS t (n INTEGER)"); err != nil {
			t.Fatal(err)
		}
		stmt, err := db.PrepareContext(t.Context(), "INSERT INTO t VALUES ($1)")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stmt.ExecContext(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if err := stmt.Close(); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := w.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&n); err != nil || n == 0 {
			t.Fatal(n, err)
		}
	}
	// The first round left nothing but its PREPARE, which is always a call.
	want := []sp.Op{sp.OpPrepare, sp.OpExec, sp.OpPrepare, sp.OpExec, sp.OpQuery}
	if got := rec.ops(); !slices.Equal(got, want) {
		t.Errorf("the chain saw %v, want %v", got, want)
	}
}

func TestATransactionBegunUnseenIsStillOne(t *testing.T) {
	t.Parallel()
	db, rec := openDrowsy(t)
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, step := range []struct {
		ctx  context.Context
		text string
	}{{t.Context(), "BEGIN"}, {awake(t.Context()), "CREATE TABLE t (n INTEGER)"}, {t.Context(), "COMMIT"}, {awake(t.Context()), "DROP TABLE t"}} {
		if _, err := c.ExecContext(step.ctx, step.text); err != nil {
			t.Fatal(step.text, err)
		}
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	var in []bool
	for _, s := range rec.calls {
		if s.op == sp.OpExec {
			in = append(in, s.inTx)
		}
	}
	if want := []bool{true, false}; !slices.Equal(in, want) {
		t.Errorf("statements were in a transaction: %v, want %v", in, want)
	}
}
