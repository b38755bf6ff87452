package integration_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
)

// TestACommentLeavesNamesAlone uses statements by names, of pgx and of a rewriter.
func TestACommentLeavesNamesAlone(t *testing.T) {
	t.Parallel()
	config := must(pgxpool.ParseConfig(dbtest.Postgres(t).Database(t).URL()))
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Prepare(ctx, "get two", "SELECT 2")
		return err
	}
	pool := must(pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(must(sqlcomment.New(sqlcomment.WithTag("service", "shop"))))))
	t.Cleanup(pool.Close)
	conn := must(pool.Acquire(t.Context()))
	defer conn.Release()
	must(conn.Prepare(t.Context(), "select three", "SELECT 3"))
	for want, row := range map[int]pgx.Row{
		2: pool.QueryRow(t.Context(), "get two"),
		4: pool.QueryRow(t.Context(), "select four", rewriter{"select four": "SELECT 4"}),
	} {
		var n int
		if err := row.Scan(&n); err != nil || n != want {
			t.Errorf("%d, want %d: %v", n, want, err)
		}
	}
	var n int
	if err := conn.QueryRow(t.Context(), "select three").Scan(&n); err != nil || n != 3 {
		t.Errorf("%d, want 3: %v", n, err)
	}
}

// TestTheServerSeesTheComment asks each server what statement it is running.
func TestTheServerSeesTheComment(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		db := d.open(t, must(sqlcomment.New(sqlcomment.WithTag("service", "shop"))))
		ask, want := "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()", "/*service='shop'*/"
		switch d.system {
		case sp.MariaDB, sp.MySQL:
			ask = "SELECT info FROM information_schema.processlist WHERE id = connection_id()"
		case sp.SQLite: // which tells nobody: it has to understand it
			ask, want = "SELECT 'SELECT x /*service=''shop''*/'", "/*service='shop'*/"
		}
		got := scalar[string](t, db, ask)
		if len(got) < len(want) || got[len(got)-len(want):] != want {
			t.Errorf("the server runs %q", got)
		}
	})
}

// TestACommentChangesNoOutcome compares statements that have a comment, or half
// of one, with and without ours, whose tags try to end it.
func TestACommentChangesNoOutcome(t *testing.T) {
	t.Parallel()
	hostile := "*/; DROP TABLE zt; --'\"`\n\r\x00%27%2A/ ? $1 :x /*! */ \u202e #"
	onEach(t, func(t *testing.T, d database) {
		plain := d.open(t)
		commented := d.open(t, must(sqlcomment.New(
			sqlcomment.WithTag(hostile, hostile),
			sqlcomment.WithTags(func(context.Context) map[string]string { return map[string]string{"a\x00" + hostile: "v"} }),
		)))
		mustExec(t, plain, "CREATE TABLE zt (a VARCHAR(9))", "INSERT INTO zt VALUES ('q')")
		mustExec(t, commented, "CREATE TABLE IF NOT EXISTS zt (a VARCHAR(9))", "DELETE FROM zt", "INSERT INTO zt VALUES ('q')")
		for _, text := range []string{
			"SELECT a FROM zt", "SELECT a FROM zt;", "SELECT a FROM zt ; ; ", "SELECT a FROM zt -- x", "SELECT a FROM zt --\r", "SELECT a FROM zt #x",
			"SELECT a FROM zt /* x", "SELECT a FROM zt /* x */ ; ", "SELECT a FROM zt /* x */", "SELECT /* x */ a FROM zt", "SELECT '/*' FROM zt",
			"SELECT a FROM zt /*", "SELECT a FROM zt /* /* */", "SELECT a FROM zt /*! ", "SELECT a FROM zt /*!99999 x", "SELECT a FROM zt /*! -- */",
			"SELECT '", "SELECT '/*", `SELECT "/*`, "SELECT `/*", "SELECT '/* FROM zt", "SELECT $$/* FROM zt", "SELECT $$/*$$ FROM zt", "SELECT E'\\'/*' FROM zt",
		} {
			var with, without string
			got := commented.QueryRowContext(t.Context(), text).Scan(&with)
			want := plain.QueryRowContext(t.Context(), text).Scan(&without)
			if (got == nil) != (want == nil) || with != without {
				t.Errorf("%q: with our comment %q, %v; without %q, %v", text, with, got, without, want)
			}
		}
		if n := scalar[int](t, plain, "SELECT COUNT(*) FROM zt"); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}
