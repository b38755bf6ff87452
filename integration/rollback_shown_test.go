package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// failuresOf returns what a page lists as failed, the latest first.
func failuresOf(t *testing.T, page *statusz.Page) (failures []struct {
	Summary string `json:"summary"`
	Class   string `json:"fault_class"`
},
) {
	t.Helper()
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/?format=json", nil))
	var document struct {
		Failures json.RawMessage `json:"failures"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(document.Failures, &failures); err != nil {
		t.Fatal(err)
	}
	return failures
}

// rollbackShown is what a service sees of a transaction: spans, log, live page.
type rollbackShown struct {
	*telemetry
	log  *bytes.Buffer
	page *statusz.Page
}

func newRollbackShown(t *testing.T) *rollbackShown {
	t.Helper()
	s := &rollbackShown{telemetry: collect(t), log: new(bytes.Buffer), page: must(statusz.New())}
	s.tracing = must(tracing.New(tracing.WithTracerProvider(s.traces), tracing.WithMeterProvider(s.meters), tracing.WithTransactionSpans()))
	return s
}

// chain returns the links that show, and more ones inside.
func (s *rollbackShown) chain(more ...sp.Interceptor) []sp.Interceptor {
	logger := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	return append(append([]sp.Interceptor{s.tracing, must(logging.New(logger)), s.page}, more...), s.page.Innermost())
}

// holds checks that the statement is the one thing that is shown as failed, of
// the class that it has; class is "" if its caller cancelled it.
func (s *rollbackShown) holds(t *testing.T, class string) {
	t.Helper()
	failures := failuresOf(t, s.page)
	if len(failures) > 1 || len(failures) == 1 && failures[0].Class != class && class != "" {
		t.Errorf("the page shows %+v, want the statement's alone", failures)
	}
	for _, span := range s.take() {
		if span.Status.Code == codes.Error && !strings.HasPrefix(span.Name, "SELECT") {
			t.Errorf("span %q is an error: %v", span.Name, span.Status)
		}
	}
	for line := range strings.Lines(s.log.String()) {
		var record struct {
			Level     string `json:"level"`
			Operation string `json:"db.operation.name"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record.Operation == "ROLLBACK" || record.Operation == "BEGIN" || class == "" && record.Level == "ERROR" {
			t.Errorf("logged: %s", line)
		}
	}
	if s.metrics(t, "db.client.operation.duration", "ROLLBACK") {
		t.Error("the ROLLBACK is measured as an error")
	}
}

// metrics reports whether an operation was measured with an error.
func (s *rollbackShown) metrics(t *testing.T, name, operation string) (failed bool) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := s.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			for _, set := range attributeSets(m) {
				op, _ := set.Value("db.operation.name")
				failed = failed || op.AsString() == operation && set.HasValue("error.type")
			}
		}
	}
	return failed
}

// TestARollbackOnAClosedConnectionIsNoFailure holds that spans, metrics, the log
// and the page show what went wrong and not its echo: our time limit, or the
// caller's cancel, has the driver close the connection, and the ROLLBACK that the
// caller sends next finds it closed.
func TestARollbackOnAClosedConnectionIsNoFailure(t *testing.T) {
	t.Parallel()
	const limit = 50 * time.Millisecond
	sleep := map[sp.System]string{sp.PostgreSQL: "SELECT pg_sleep(60)", sp.MariaDB: "SELECT SLEEP(60)"}
	onEach(t, func(t *testing.T, d database) {
		if d.system == sp.SQLite {
			return // nothing closes its connections
		}
		t.Run("our limit", func(t *testing.T) {
			t.Parallel()
			s := newRollbackShown(t)
			db := d.open(t, s.chain(must(timeout.New(time.Hour, timeout.WithFor(limit, sp.OpExec))))...)
			tx := must(db.BeginTx(t.Context(), nil))
			if _, err := tx.ExecContext(t.Context(), sleep[d.system]); err == nil {
				t.Fatal("there was no time limit")
			}
			t.Log("rollback:", tx.Rollback())
			s.holds(t, "attempt_timeout")
		})
		t.Run("the caller's cancel", func(t *testing.T) {
			t.Parallel()
			s := newRollbackShown(t)
			db := d.open(t, s.chain()...)
			tx := must(db.BeginTx(t.Context(), nil))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(limit, cancel)
			if _, err := tx.ExecContext(ctx, sleep[d.system]); err == nil {
				t.Fatal("the statement was not cancelled")
			}
			t.Log("rollback:", tx.Rollback())
			s.holds(t, "")
		})
	})
	for name, open := range map[string]func(t *testing.T, s *rollbackShown, limits ...sp.Interceptor) pgx.Tx{
		"pgxdb": func(t *testing.T, s *rollbackShown, limits ...sp.Interceptor) pgx.Tx {
			t.Helper()
			return must(openPGX(t, dbtest.Postgres(t).Database(t).URL(), s.chain(limits...)).BeginTx(t.Context(), pgx.TxOptions{}))
		},
		"pgx's own pool": func(t *testing.T, s *rollbackShown, _ ...sp.Interceptor) pgx.Tx {
			t.Helper()
			config := must(pgxpool.ParseConfig(dbtest.Postgres(t).Database(t).URL()))
			config.ConnConfig.Tracer = must(pgxdb.NewTracer(sp.NewChain(s.chain()...)))
			pool := must(pgxpool.NewWithConfig(t.Context(), config))
			t.Cleanup(pool.Close)
			return must(pool.Begin(t.Context()))
		},
	} {
		t.Run(name+", the caller's cancel", func(t *testing.T) {
			t.Parallel()
			s := newRollbackShown(t)
			tx := open(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(limit, cancel)
			if _, err := tx.Exec(ctx, sleep[sp.PostgreSQL]); err == nil {
				t.Fatal("the statement was not cancelled")
			}
			t.Log("rollback:", tx.Rollback(t.Context()))
			s.holds(t, "")
		})
		if name == "pgxdb" {
			t.Run(name+", our limit", func(t *testing.T) {
				t.Parallel()
				s := newRollbackShown(t)
				tx := open(t, s, must(timeout.New(time.Hour, timeout.WithFor(limit, sp.OpExec))))
				if _, err := tx.Exec(t.Context(), sleep[sp.PostgreSQL]); err == nil {
					t.Fatal("there was no time limit")
				}
				t.Log("rollback:", tx.Rollback(t.Context()))
				s.holds(t, "attempt_timeout")
			})
		}
	}
}
