package tracing_test

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// TestStabilityOptInChangesNothing holds that the stable conventions are
// emitted, and they alone, whatever the variable asks for: see docs/tracing.md.
func TestStabilityOptInChangesNothing(t *testing.T) {
	for _, value := range []string{"", "database", "database/dup", "http/dup,database/dup", "database,database/dup", "nonsense"} {
		t.Setenv("OTEL_SEMCONV_STABILITY_OPT_IN", value)
		m := &meter{}
		s := observed(t, failing(call(sp.OpExec, "DELETE FROM t WHERE a = 1"), stateError("40001")), tracing.WithMeterProvider(m))
		for key, want := range map[attribute.Key]string{
			"db.system.name": "postgresql", "db.namespace": "shop|public", "db.query.text": "DELETE FROM t WHERE a = ?",
			"db.query.summary": "DELETE t", "server.address": "db.example", "db.response.status_code": "40001",
		} {
			if got := s.attr(key); got != want {
				t.Errorf("%q: %s is %q, want %q", value, key, got, want)
			}
		}
		for _, old := range []attribute.Key{"db.system", "db.name", "db.statement", "db.operation", "db.sql.table", "net.peer.name"} {
			if got := s.attr(old); got != "" {
				t.Errorf("%q: %s is %q", value, old, got)
			}
		}
		if len(m.all(durationMetric)) != 1 || len(m.all("db.client.connections.usage")) != 0 {
			t.Errorf("%q: measured %v", value, m.values)
		}
	}
}
