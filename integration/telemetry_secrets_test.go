package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
)

// checkSecrets holds that nothing was told of what must not be: see [canary].
func (e *emitted) checkSecrets(t *testing.T) {
	t.Helper()
	look := func(where string, what any) {
		if text := strings.ToLower(fmt.Sprint(what)); strings.Contains(text, canary) || strings.Contains(text, fmt.Sprint(secretKey)) {
			at := max(strings.Index(text, canary), strings.Index(text, fmt.Sprint(secretKey)))
			t.Errorf("%s: …%s", where, text[max(0, at-200):min(len(text), at+100)])
		}
	}
	for _, s := range e.spans {
		look("span "+s.Name, []any{s.Name, s.Status.Description, s.Attributes, s.SpanContext.TraceState().String()})
		for _, event := range s.Events {
			look("event of "+s.Name, []any{event.Name, event.Attributes})
		}
		for _, l := range s.Links {
			look("link of "+s.Name, l.Attributes)
		}
	}
	for _, s := range e.scopes {
		look("scope "+s.Scope.Name, []any{s.Scope.Name, s.Scope.Version, s.Scope.Attributes.ToSlice()})
		for _, m := range s.Metrics {
			look("metric "+m.Name, m)
			for _, set := range attributeSets(m) {
				look("metric "+m.Name, set.ToSlice())
			}
		}
	}
	for _, record := range e.logs {
		look("log", record)
	}
	for _, page := range e.pages {
		look("live page", page)
	}
}

// TestAThousandStatementsMakeFewSeries runs statements that differ in literals,
// arguments and lengths of lists: metrics and the names of spans do not tell
// them apart.
func TestAThousandStatementsMakeFewSeries(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		if d.driver == "postgres" { // as with pgx
			continue
		}
		t.Run(string(d.system), func(t *testing.T) {
			t.Parallel()
			e := newEmitter(t, d)
			db := openDSN(t, e.driver, e.source, e.chain()...)
			mustExec(t, db, "CREATE TABLE numbers (n INTEGER, name VARCHAR(80))")
			varied(t, e, db, 0, 10)
			few := e.take(t)
			varied(t, e, db, 10, 1000)
			lots := e.take(t)
			for name, m := range lots.metrics() {
				before, now := len(attributeSets(few.metrics()[name])), len(attributeSets(m))
				if now != before || now > 40 {
					t.Errorf("%s: %d sets of attributes after 10 rounds, %d after 1000", name, before, now)
				}
			}
			if before, now := spanNames(few), spanNames(lots); now != before || now > 40 {
				t.Errorf("%d names of spans after 10 rounds, %d after 1000", before, now)
			}
		})
	}
}

func spanNames(e *emitted) int {
	names := map[string]bool{}
	for _, s := range e.spans {
		names[s.Name] = true
	}
	return len(names)
}

// varied runs rounds of statements, each of which differs from those of the
// other rounds.
func varied(t *testing.T, e *emitter, db interface {
	RunInTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, tx *sql.Tx) error) error
}, from, to int,
) {
	t.Helper()
	err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		for n := from; n < to; n++ {
			list := strings.Repeat("7, ", n%50) + fmt.Sprint(n)
			mustExec(t, tx,
				fmt.Sprintf("INSERT INTO numbers VALUES (%d, 'number %d') /* %d */", n, n, n),
				"DELETE FROM numbers WHERE n IN ("+list+")",
				fmt.Sprintf("INSERT INTO numbers VALUES (%d, 'a')%s", n, strings.Repeat(", (1, 'b')", n%20)))
			if _, err := tx.ExecContext(ctx, e.bind("UPDATE numbers SET name = ? WHERE n = ?"), fmt.Sprint("name ", n), n); err != nil {
				return err
			}
			mustExec(t, tx, "DELETE FROM numbers") // so that the rounds stay short
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if e.system == sp.PostgreSQL {
		e.variedBatches(t, from, to)
	}
}

// variedBatches sends batches of many lengths.
func (e *emitter) variedBatches(t *testing.T, from, to int) {
	t.Helper()
	pool := must(pgxdb.NewPool(t.Context(), e.url, sp.NewChain(e.chain()...)))
	defer pool.Close()
	for n := from; n < to; n += 5 {
		b := &pgx.Batch{}
		for i := range 2 + n%30 {
			b.Queue(fmt.Sprintf("INSERT INTO numbers VALUES (%d, $1)", i), fmt.Sprint("batch ", n))
		}
		if err := pool.SendBatch(t.Context(), b).Close(); err != nil {
			t.Fatal(err)
		}
	}
}
