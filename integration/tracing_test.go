package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// telemetry collects what the SDK exports.
type telemetry struct {
	spans   *tracetest.InMemoryExporter
	traces  *sdktrace.TracerProvider
	reader  *sdkmetric.ManualReader
	meters  *sdkmetric.MeterProvider
	tracing *tracing.Tracing
}

func collect(t *testing.T) *telemetry {
	t.Helper()
	c := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	c.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(c.spans))
	c.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(c.reader))
	t.Cleanup(func() {
		if err := errors.Join(c.traces.Shutdown(context.Background()), c.meters.Shutdown(context.Background())); err != nil {
			t.Error(err)
		}
	})
	c.tracing = must(tracing.New(tracing.WithTracerProvider(c.traces), tracing.WithMeterProvider(c.meters), tracing.WithRowsReturned()))
	return c
}

// take returns the spans that ended since the last time.
func (c *telemetry) take() tracetest.SpanStubs {
	spans := c.spans.GetSpans()
	c.spans.Reset()
	return spans
}

// named returns the spans of a name.
func named(spans tracetest.SpanStubs, name string) (out tracetest.SpanStubs) {
	for _, s := range spans {
		if s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

func attr(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

// TestOneSpanPerStatement runs what services run on every database, and looks
// at the spans that the SDK exports.
func TestOneSpanPerStatement(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		c := collect(t)
		db := d.open(t, c.tracing, must(retry.New(retry.WithMeterProvider(c.meters))), must(breaker.New(breaker.WithMeterProvider(c.meters))))
		ctx := t.Context()
		mustExec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(80) UNIQUE)")
		setUp := c.take()
		if len(named(setUp, "CREATE TABLE users")) != 1 || len(setUp) != 2 {
			t.Errorf("the first statement made %d spans, want its own and that of the connection: %v", len(setUp), names(setUp))
		}

		// With arguments, without, prepared, at both levels.
		insert := d.bind("INSERT INTO users VALUES (?, ?)")
		for id, level := range map[int]executor{1: db, 2: db.DB} {
			if _, err := level.ExecContext(ctx, insert, id, "s3cr3t-argument"+string(rune('0'+id))); err != nil {
				t.Fatal(err)
			}
		}
		mustExec(t, db, "INSERT INTO users VALUES (3, 's3cr3t-literal')")
		spans := c.take()
		if got := named(spans, "INSERT users"); len(got) != 3 || len(spans) != 3 {
			t.Fatalf("3 statements made the spans %v", names(spans))
		}
		for _, s := range spans {
			checkStatement(t, d, s)
		}
		if got := attr(spans[2], "db.query.text"); got != "INSERT INTO users VALUES (?, ?)" {
			t.Errorf("a text without parameters is recorded as %q", got)
		}
		if got := attr(spans[0], "db.query.text"); got != insert {
			t.Errorf("a text with parameters is recorded as %q", got)
		}

		// A query's span ends with its rows.
		rows, err := db.QueryContext(ctx, "SELECT id FROM users")
		if err != nil {
			t.Fatal(err)
		}
		if open := c.take(); len(open) != 0 {
			t.Errorf("spans %v ended while the rows are open", names(open))
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if got := c.take(); len(got) != 1 || attr(got[0], "db.response.returned_rows") != "3" {
			t.Errorf("spans %v after the rows", names(got))
		}

		// A failure tells its code, and nothing of the row.
		_, err = db.ExecContext(ctx, insert, 4, "s3cr3t-argument1")
		failed := c.take()
		if err == nil || len(failed) != 1 {
			t.Fatalf("error %v, spans %v", err, names(failed))
		}
		if s := failed[0]; s.Status.Code != codes.Error || attr(s, "error.type") != fault.Code(err) || attr(s, "db.response.status_code") != fault.Code(err) {
			t.Errorf("status %v, attributes %v", s.Status, s.Attributes)
		}
		noSecrets(t, failed)

		// A unit is the parent of its statements.
		err = db.RunInTx(sp.WithCallName(ctx, "users.rename"), nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, d.bind("UPDATE users SET email = ? WHERE id = ?"), "x", 1)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		checkUnit(t, c.take())
		checkDuration(t, c, d)
	})
}

func names(spans tracetest.SpanStubs) (out []string) {
	for _, s := range spans {
		out = append(out, s.Name)
	}
	return out
}

func checkStatement(t *testing.T, d database, s tracetest.SpanStub) {
	t.Helper()
	if s.SpanKind != trace.SpanKindClient || attr(s, "db.system.name") != string(d.system) || attr(s, "db.query.summary") != s.Name {
		t.Errorf("%s: kind %v, attributes %v", s.Name, s.SpanKind, s.Attributes)
	}
	if attr(s, "db.namespace") == "" || (d.system != sp.SQLite) != (attr(s, "server.address") != "") {
		t.Errorf("%s: the database is not named: %v", s.Name, s.Attributes)
	}
	noSecrets(t, tracetest.SpanStubs{s})
}

// noSecrets holds that no argument, literal or password is in a span.
func noSecrets(t *testing.T, spans tracetest.SpanStubs) {
	t.Helper()
	for _, s := range spans {
		all := append([]attribute.KeyValue{attribute.String("", s.Name), attribute.String("", s.Status.Description)}, s.Attributes...)
		for _, e := range s.Events {
			all = append(all, e.Attributes...)
		}
		for _, a := range all {
			if strings.Contains(a.Value.String(), "s3cr3t") {
				t.Errorf("%s: %s = %s", s.Name, a.Key, a.Value.String())
			}
		}
	}
}

func checkUnit(t *testing.T, spans tracetest.SpanStubs) {
	t.Helper()
	unit := named(spans, "users.rename")
	if len(unit) != 1 || unit[0].SpanKind != trace.SpanKindInternal || len(spans) != 4 {
		t.Fatalf("the unit's spans are %v, want itself, BEGIN, UPDATE, COMMIT", names(spans))
	}
	for _, s := range spans {
		if s.Name != "users.rename" && s.Parent.SpanID() != unit[0].SpanContext.SpanID() {
			t.Errorf("%s is no child of its unit", s.Name)
		}
	}
}

// checkDuration holds the metric against the spans: every statement once.
func checkDuration(t *testing.T, c *telemetry, d database) {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := c.reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	inserts := uint64(0)
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			h, ok := m.Data.(metricdata.Histogram[float64])
			if !ok || m.Name != "db.client.operation.duration" {
				continue
			}
			if m.Unit != "s" {
				t.Errorf("unit %q", m.Unit)
			}
			for _, p := range h.DataPoints {
				if _, ok := p.Attributes.Value("db.query.text"); ok {
					t.Error("the text is an attribute of the metric")
				}
				system, _ := p.Attributes.Value("db.system.name")
				summary, _ := p.Attributes.Value("db.query.summary")
				if system.AsString() != string(d.system) {
					// MariaDB is known for what it is once the first connection stands.
					first, _ := p.Attributes.Value("db.operation.name")
					if first.AsString() != "connect" && summary.AsString() != "CREATE TABLE users" {
						t.Errorf("system %q in %v", system.AsString(), p.Attributes)
					}
				}
				if summary.AsString() == "INSERT users" {
					inserts += p.Count
				}
			}
		}
	}
	if inserts != 4 {
		t.Errorf("%d INSERTs were measured, want 4", inserts)
	}
}

// TestReplaysAreEventsOfTheUnit provokes a real serialization failure.
func TestReplaysAreEventsOfTheUnit(t *testing.T) {
	t.Parallel()
	c := collect(t)
	d := databases[0]
	db := d.open(t, c.tracing, must(retry.New()))
	bank(t, d, db)
	c.take()
	runs := 0
	err := db.RunInTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable}, func(ctx context.Context, tx *sql.Tx) error {
		runs++
		if err := transfer(ctx, d, tx, 0, 1, 1); err != nil || runs > 1 {
			return err
		}
		// A second writer gets in between.
		_, err := db.DB.ExecContext(context.WithoutCancel(t.Context()), "UPDATE accounts SET balance = balance + 1 WHERE id = 2")
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE accounts SET balance = balance + 1 WHERE id = 2")
		return err
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, error %v", runs, err)
	}
	unit := named(c.take(), "transaction")
	if len(unit) != 1 || unit[0].Status.Code == codes.Error {
		t.Fatalf("spans of the unit: %v", unit)
	}
	if e := unit[0].Events; len(e) != 1 || e[0].Name != string(sp.EventRetry) {
		t.Errorf("events %v, want one retry", e)
	}
}
