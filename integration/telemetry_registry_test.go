package integration_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
)

// told is everything that the whole workload emits on a database.
func told(t *testing.T, d database) *emitted {
	t.Helper()
	e := newEmitter(t, d)
	e.statements(t)
	e.failures(t)
	e.retries(t)
	e.outage(t)
	e.crowds(t)
	e.hedges(t)
	e.clusters(t)
	e.slow(t)
	e.repeated(t)
	e.loops(t)
	e.overdue(t)
	e.doubts(t)
	e.sessions(t)
	e.pools(t)
	return e.take(t)
}

// TestTelemetryKeepsToTheConventions checks everything that is emitted against
// OpenTelemetry's semantic conventions, and what these do not know against
// docs/metrics.md, which must not promise more than is emitted either; and that
// it holds no secrets.
func TestTelemetryKeepsToTheConventions(t *testing.T) {
	t.Parallel()
	conventions, page, all := theConventions(t), readMetricsPage(t), newInventory()
	t.Run("each", func(t *testing.T) {
		for _, d := range databases {
			if d.driver == "postgres" { // as with pgx
				continue
			}
			t.Run(string(d.system), func(t *testing.T) {
				t.Parallel()
				e := told(t, d)
				e.checkSpans(t)
				e.checkSecrets(t)
				e.checkScopes(t)
				e.checkMetrics(t, conventions, page)
				e.checkAttributes(t, conventions, page)
				all.add(e)
			})
		}
	})
	if all.databases == 3 { // on fewer, less is emitted
		all.check(t, page)
		all.checkDashboard(t)
	}
}

// inventory is what was emitted on all databases.
type inventory struct {
	mu         sync.Mutex
	databases  int
	metrics    map[string][]string // and their attributes
	attributes map[string][]string // and what they are on
	events     []string
	spans      []string
	series     map[string][]string // metrics as Prometheus has them, and their labels
}

func newInventory() *inventory {
	return &inventory{metrics: map[string][]string{}, attributes: map[string][]string{}, series: map[string][]string{}}
}

// with adds x to list, once.
func with(list []string, x string) []string {
	if slices.Contains(list, x) {
		return list
	}
	return append(list, x)
}

func (v *inventory) add(e *emitted) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.databases++
	for name := range e.metrics() {
		v.metrics[name] = slices.Clip(v.metrics[name])
	}
	e.attributes(func(on string, a attribute.KeyValue) {
		if strings.Contains(on, ".") {
			v.metrics[on], on = with(v.metrics[on], string(a.Key)), "metric"
		}
		v.attributes[string(a.Key)] = with(v.attributes[string(a.Key)], on)
	})
	for _, record := range e.logs {
		for key := range record {
			v.attributes[key] = with(v.attributes[key], "log")
		}
	}
	for _, name := range e.events() {
		v.events = with(v.events, name)
	}
	for _, s := range e.spans {
		v.spans = with(v.spans, s.Name)
	}
	e.addSeries(v.series)
}

// check compares what was emitted with what docs/metrics.md says: nothing is
// emitted that is not on the page, and nothing is on the page that is not
// emitted.
func (v *inventory) check(t *testing.T, page *metricsPage) {
	t.Helper()
	for _, d := range differences("page", slices.Collect(maps.Keys(page.metrics)), "emitted", slices.Collect(maps.Keys(v.metrics))) {
		t.Error("metrics,", d)
	}
	for name, row := range page.metrics {
		for _, d := range differences("page", row.attributes, "emitted", v.metrics[name]) {
			t.Errorf("attributes of %s, %s", name, d)
		}
	}
	for name, row := range page.attributes {
		for _, d := range differences("page", row.on, "emitted", v.attributes[name]) {
			t.Errorf("where %s is, %s", name, d)
		}
	}
	for _, d := range differences("page", page.events, "emitted", v.events) {
		t.Error("events,", d)
	}
	var methods []string
	for op := range sp.Op(255) {
		if op.Session() && op.String() != "" && !op.Local() && op.String() != sp.OpUnknown.String() {
			methods = append(methods, op.String())
		}
	}
	spans := slices.DeleteFunc(v.spans, func(name string) bool { return !strings.HasPrefix(name, "session.") })
	for _, d := range differences("catalogue", methods, "emitted", spans) {
		t.Error("methods of a session,", d)
	}
}

// checkScopes holds that everything is emitted by a package of this library,
// under the conventions' version.
func (e *emitted) checkScopes(t *testing.T) {
	t.Helper()
	for _, s := range e.scopes {
		if !strings.HasPrefix(s.Scope.Name, "github.com/sessionproxy/sessionproxy/") || s.Scope.SchemaURL != semconv.SchemaURL {
			t.Errorf("metrics of scope %q, schema %q", s.Scope.Name, s.Scope.SchemaURL)
		}
	}
	for _, s := range e.spans {
		if s := s.InstrumentationScope; s.Name != "github.com/sessionproxy/sessionproxy/tracing" || s.SchemaURL != semconv.SchemaURL {
			t.Errorf("spans of scope %q, schema %q", s.Name, s.SchemaURL)
		}
	}
}

// checkSpans holds what the conventions ask of database spans.
func (e *emitted) checkSpans(t *testing.T) {
	t.Helper()
	for _, s := range e.spans {
		has := func(key string) bool { return attr(s, key) != "" }
		internal := strings.HasPrefix(attr(s, "db.operation.name"), "session.") || attr(s, "db.operation.name") == "transaction"
		kind := trace.SpanKindClient
		if internal {
			kind = trace.SpanKindInternal
		}
		failed := s.Status.Code == codes.Error
		wrong := map[string]bool{
			"no system":                          !has("db.system.name"),
			"no database":                        !has("db.namespace"),
			"no server":                          !has("server.address") && attr(s, "db.system.name") != "sqlite",
			"its kind is " + s.SpanKind.String(): s.SpanKind != kind,
			"neither text nor operation":         !has("db.query.text") && !has("db.operation.name"),
			"a summary without a text":           has("db.query.summary") && !has("db.query.text"),
			"error.type without an error":        has("error.type") != failed,
			"a code without an error":            has("db.response.status_code") && !failed,
			"another error.type than the code":   has("db.response.status_code") && attr(s, "error.type") != attr(s, "db.response.status_code"),
			"a batch of one":                     attr(s, "db.operation.batch.size") == "1",
			"a name of its own":                  !wellNamed(s),
			"too long a name":                    len(s.Name) > 255,
		}
		for what, is := range wrong {
			if is {
				t.Errorf("span %q: %s: %v", s.Name, what, s.Attributes)
			}
		}
	}
}

// wellNamed reports whether a span has the name that the conventions give it: the
// summary, else the operation and the database, of a text without a summary the
// database; or the one its caller gave.
func wellNamed(s tracetest.SpanStub) bool {
	operation := attr(s, "db.operation.name")
	if attr(s, "db.query.summary") == "" && operation == "" {
		return s.Name == attr(s, "db.namespace")
	}
	return s.Name == "notes.add" || s.Name == attr(s, "db.query.summary") || s.Name == operation || s.Name == operation+" "+attr(s, "db.namespace")
}

// checkMetrics holds name, instrument, unit and attributes of each metric.
func (e *emitted) checkMetrics(t *testing.T, c *conventions, page *metricsPage) {
	t.Helper()
	for name, m := range e.metrics() {
		instrument, sets := instrumentOf(m)
		row, documented := page.metrics[name]
		want := metricRule{unit: row.unit, instrument: row.instrument, allowed: row.attributes}
		if !strings.HasPrefix(name, "sessionproxy.") {
			rule, ok := c.metrics[name]
			if !ok || rule.unit != row.unit || rule.instrument != row.instrument {
				t.Errorf("%s: the conventions say %+v, docs/metrics.md %+v", name, rule, row)
			}
			want = rule
		}
		if !documented || m.Unit != want.unit || instrument != want.instrument || m.Description == "" {
			t.Errorf("%s: a %s in %s, described as %q; documented %v, want %+v", name, instrument, m.Unit, m.Description, documented, want)
		}
		for _, set := range sets {
			for _, key := range want.required {
				if v, ok := set.Value(attribute.Key(key)); !ok || v.AsString() == "" {
					t.Errorf("%s: no %s in %v", name, key, set.ToSlice())
				}
			}
			for _, a := range set.ToSlice() {
				if !slices.Contains(want.required, string(a.Key)) && !slices.Contains(want.allowed, string(a.Key)) {
					t.Errorf("%s: what is %s?", name, a.Key)
				}
			}
		}
	}
}

// checkAttributes holds name, type and value of each attribute.
func (e *emitted) checkAttributes(t *testing.T, c *conventions, page *metricsPage) {
	t.Helper()
	wrong := map[string]bool{}
	e.attributes(func(on string, a attribute.KeyValue) {
		if err := c.checkAttribute(page, on, string(a.Key), kindOf(a.Value), a.Value.String()); err != nil {
			wrong[err.Error()] = true
		}
	})
	for _, record := range e.logs {
		for key, v := range record {
			if slices.Contains([]string{"time", "level", "msg", "trace_id", "span_id", "event.name", "db.client.operation.duration"}, key) {
				continue
			}
			if err := c.checkAttribute(page, "log", key, kindInJSON(key, v, c, page), fmt.Sprint(v)); err != nil {
				wrong[err.Error()] = true
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(wrong)) {
		t.Error(what)
	}
}

// checkAttribute holds an attribute against the conventions, and one of this
// library's against docs/metrics.md.
func (c *conventions) checkAttribute(page *metricsPage, on, key, kind, value string) error {
	rule, known := c.attributes[key]
	if row, ours := page.attributes[key]; ours {
		if !strings.HasPrefix(key, "sessionproxy.") {
			return fmt.Errorf("%s: not a name of this library's", key)
		}
		rule, known = attributeRule{kind: row.kind, values: row.values}, true
	}
	switch {
	case !known && slices.ContainsFunc(c.prefixes, func(p string) bool { return strings.HasPrefix(key, p) }):
		return nil
	case !known:
		return fmt.Errorf("%s: what is the attribute %s?", on, key)
	case rule.kind == "Enum" && kind == "string", rule.kind == kind:
	default:
		return fmt.Errorf("%s: %s is %s, want %s", on, key, kind, rule.kind)
	}
	// What there may be of error.type is open.
	if len(rule.values) > 0 && key != "error.type" && !slices.Contains(rule.values, value) {
		return fmt.Errorf("%s: %s is %s, want one of %v", on, key, value, rule.values)
	}
	return nil
}

// kindOf returns the type of a value in the conventions' words.
func kindOf(v attribute.Value) string {
	return map[attribute.Type]string{
		attribute.STRING: "string", attribute.INT64: "int", attribute.FLOAT64: "double", attribute.BOOL: "boolean", attribute.STRINGSLICE: "string[]",
	}[v.Type()]
}

// kindInJSON returns the type of a value of a log record. JSON does not tell
// whole numbers from others: they are what they should be.
func kindInJSON(key string, v any, c *conventions, page *metricsPage) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		if row, ours := page.attributes[key]; ours {
			return map[bool]string{true: row.kind, false: "double"}[row.kind == "int"]
		}
		return map[bool]string{true: "int", false: "double"}[c.attributes[key].kind == "int"]
	}
	return fmt.Sprintf("%T", v)
}
