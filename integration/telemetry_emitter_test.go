package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
	"github.com/sessionproxy/sessionproxy/middleware/readonly"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// canary is in everything that must not be told: arguments, literals, comments,
// names of savepoints and roles, passwords, folders, the server's messages,
// values of panics.
const canary = "c4n4ry"

// secretKey is a number that must not be told.
const secretKey = 4815162342

// emitter is a database, and what the library tells of its use.
type emitter struct {
	database

	source string // for database/sql
	url    string // for package engine
	spans  *tracetest.InMemoryExporter
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	series *prometheus.Registry // the metrics once more, for Prometheus
	meters *sdkmetric.MeterProvider
	logs   *records
	logger *slog.Logger
	page   *statusz.Page
}

func newEmitter(t *testing.T, d database) *emitter {
	t.Helper()
	e := &emitter{database: d, spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader(), logs: &records{}}
	e.source, e.url = secretive(t, d)
	e.page = must(statusz.New())
	e.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(e.spans))
	e.series = prometheus.NewRegistry()
	exporter := must(otelprometheus.New(otelprometheus.WithRegisterer(e.series),
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes)))
	e.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(e.reader), sdkmetric.WithReader(exporter))
	e.logger = slog.New(slog.NewJSONHandler(e.logs, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
	t.Cleanup(func() {
		if err := errors.Join(e.traces.Shutdown(context.Background()), e.meters.Shutdown(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return e
}

// secretive returns the names of a fresh database of d, with a role and a
// password, or a folder, that must not be told.
func secretive(t *testing.T, d database) (dsn, url string) {
	t.Helper()
	var server *dbtest.Server
	var create, drop string
	switch d.system {
	case sp.SQLite:
		folder := filepath.Join(t.TempDir(), canary)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, "shop.db")
		return "file:" + file + "?_pragma=busy_timeout(0)&_txlock=immediate", "sqlite:" + file
	case sp.PostgreSQL:
		server = dbtest.Postgres(t)
		create, drop = "CREATE ROLE $role LOGIN PASSWORD '$word'; GRANT $owner TO $role", "DROP ROLE $role"
	default:
		server = dbtest.MariaDB(t)
		create, drop = "CREATE USER $role@'%' IDENTIFIED BY '$word'; GRANT ALL ON $db.* TO $role@'%'", "DROP USER $role@'%'"
	}
	role := ""
	t.Cleanup(func() { // after the database is gone, which the role's tables are in
		if _, err := server.Admin().Query(context.Background(), strings.ReplaceAll(drop, "$role", role)); err != nil {
			t.Error(err)
		}
	})
	db := server.Database(t)
	role = canary + db.Name[max(0, len(db.Name)-20):]
	word := canary + "pässword"
	create = strings.NewReplacer("$role", role, "$word", word, "$owner", db.User, "$db", db.Name).Replace(create)
	if _, err := server.Admin().Query(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	db.User, db.Password = role, word
	if d.system == sp.MariaDB {
		return db.DSN("parseTime=true"), db.URL()
	}
	return db.DSN(), db.URL()
}

// chain returns every shipped interceptor, in the order that is recommended,
// with tracing of attempts inside the retry.
func (e *emitter) chain(more ...sp.Interceptor) []sp.Interceptor {
	return append([]sp.Interceptor{
		must(tracing.New(tracing.WithTracerProvider(e.traces), tracing.WithMeterProvider(e.meters), tracing.WithRowsReturned(),
			tracing.WithPoolName(string(e.system)), tracing.WithTransactionSpans())),
		e.page,
		must(logging.New(e.logger, logging.WithoutSampling())),
		must(recovery.New()),
		must(timeout.New(time.Hour)),
		must(limit.New(50, limit.WithName("all"), limit.WithMeterProvider(e.meters))),
		must(ratelimit.New(1e6, 1e6, ratelimit.WithName("all"), ratelimit.WithMeterProvider(e.meters))),
		must(retry.New(retry.WithMeterProvider(e.meters))),
		must(hedge.New(hedge.WithName("all"), hedge.WithMeterProvider(e.meters))),
		must(breaker.New(breaker.WithMeterProvider(e.meters))),
		must(readonly.New(readonly.WithIf(func(ctx context.Context) bool { return ctx.Value(guarded{}) != nil }))),
		must(slowquery.New(e.logger, time.Nanosecond, slowquery.WithInterval(0))),
		must(tracing.New(tracing.WithTracerProvider(e.traces))),
		must(sqlcomment.New(sqlcomment.WithTag("service", canary), sqlcomment.WithTraceContext())),
	}, more...)
}

// observed returns tracing and logging, and inside of them the interceptors
// given.
func (e *emitter) observed(inside ...sp.Interceptor) []sp.Interceptor {
	return append([]sp.Interceptor{
		must(tracing.New(tracing.WithTracerProvider(e.traces), tracing.WithMeterProvider(e.meters))),
		e.page,
		must(logging.New(e.logger, logging.WithoutSampling())),
	}, inside...)
}

// guarded is the key of contexts that middleware/readonly guards.
type guarded struct{}

// records is where log records go, in JSON.
type records struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes.Write(p)
}

// count returns how often a text is in the records.
func (r *records) count(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Count(r.bytes.Bytes(), []byte(text))
}

// decode returns the records.
func (r *records) decode(t *testing.T) (out []map[string]any) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for d := json.NewDecoder(bytes.NewReader(r.bytes.Bytes())); d.More(); {
		var record map[string]any
		if err := d.Decode(&record); err != nil {
			t.Fatal(err)
		}
		out = append(out, record)
	}
	return out
}

// emitted is what was told: every attribute with where it was.
type emitted struct {
	spans  tracetest.SpanStubs
	scopes []metricdata.ScopeMetrics
	series []*dto.MetricFamily // the metrics as Prometheus has them
	logs   []map[string]any
	pages  []string // the live page, for people and for programs
}

// take returns everything that was told so far.
func (e *emitter) take(t *testing.T) *emitted {
	t.Helper()
	out := &emitted{spans: e.spans.GetSpans(), logs: e.logs.decode(t)}
	var collected metricdata.ResourceMetrics
	if err := e.reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	out.scopes, out.series = collected.ScopeMetrics, must(e.series.Gather())
	for _, accept := range []string{"text/html", "application/json"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		e.page.ServeHTTP(w, r)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "INSERT") {
			t.Errorf("the live page as %s: status %d, %d bytes", accept, w.Code, w.Body.Len())
		}
		out.pages = append(out.pages, w.Body.String())
	}
	return out
}

// metrics returns the metrics by name.
func (e *emitted) metrics() map[string]metricdata.Metrics {
	out := map[string]metricdata.Metrics{}
	for _, s := range e.scopes {
		for _, m := range s.Metrics {
			out[m.Name] = m
		}
	}
	return out
}

// attributes calls see with each attribute of spans, their events and metrics,
// and with what it is on: "span", "event" or the name of a metric.
func (e *emitted) attributes(see func(on string, a attribute.KeyValue)) {
	for _, s := range e.spans {
		for _, a := range s.Attributes {
			see("span", a)
		}
		for _, event := range s.Events {
			for _, a := range event.Attributes {
				see("event", a)
			}
		}
	}
	for name, m := range e.metrics() {
		for _, set := range attributeSets(m) {
			for _, a := range set.ToSlice() {
				see(name, a)
			}
		}
	}
}

// instrumentOf returns the instrument that a metric came from, in the words of
// OpenTelemetry's specification, and the sets of attributes of its points.
func instrumentOf(m metricdata.Metrics) (instrument string, sets []attribute.Set) {
	switch data := m.Data.(type) {
	case metricdata.Histogram[float64]:
		return "histogram", setsOf(data.DataPoints, func(p metricdata.HistogramDataPoint[float64]) attribute.Set { return p.Attributes })
	case metricdata.Histogram[int64]:
		return "histogram", setsOf(data.DataPoints, func(p metricdata.HistogramDataPoint[int64]) attribute.Set { return p.Attributes })
	case metricdata.Gauge[float64]:
		return "gauge", setsOf(data.DataPoints, func(p metricdata.DataPoint[float64]) attribute.Set { return p.Attributes })
	case metricdata.Gauge[int64]:
		return "gauge", setsOf(data.DataPoints, func(p metricdata.DataPoint[int64]) attribute.Set { return p.Attributes })
	case metricdata.Sum[int64]:
		sets = setsOf(data.DataPoints, func(p metricdata.DataPoint[int64]) attribute.Set { return p.Attributes })
		if data.IsMonotonic {
			return "counter", sets
		}
		return "up-down counter", sets
	}
	return "unknown", nil
}

func attributeSets(m metricdata.Metrics) []attribute.Set {
	_, sets := instrumentOf(m)
	return sets
}

func setsOf[P any](points []P, set func(P) attribute.Set) (out []attribute.Set) {
	for _, p := range points {
		out = append(out, set(p))
	}
	return out
}

// events returns the names of the events of spans.
func (e *emitted) events() []string {
	seen := map[string]bool{}
	for _, s := range e.spans {
		for _, event := range s.Events {
			seen[event.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
