package tracing

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// hasText reports whether a call is described by its text. Transaction control
// is not: its texts hold names of savepoints.
func hasText(call *sp.Call) bool {
	if call.Text == "" {
		return false
	}
	switch call.Op {
	case sp.OpExec, sp.OpQuery, sp.OpCopy, sp.OpPrepare, sp.OpBatch:
		return true
	default:
		return false
	}
}

// byText returns the record of a text.
func (d *destination) byText(t *Tracing, use telemetry.Use, op sp.Op, text string) *record {
	if limit := t.cfg.textLimit; limit != 0 {
		text = telemetry.Cut(text, max(limit, telemetry.MaxRead))
	}
	if r, ok := d.texts[use].Get(d.dialect, text); ok {
		return r
	}
	r := d.newTextRecord(t, use, op, text)
	d.texts[use].Put(d.dialect, text, r)
	return r
}

func (d *destination) newTextRecord(t *Tracing, use telemetry.Use, op sp.Op, text string) *record {
	told := telemetry.Describe(d.dialect, use, text)
	summary, recorded := told.Summary, t.cfg.text.recorded(told)
	var common, spanOnly []attribute.KeyValue
	if summary != "" {
		common = []attribute.KeyValue{semconv.DBQuerySummary(summary)}
	}
	if recorded != "" {
		spanOnly = []attribute.KeyValue{semconv.DBQueryText(telemetry.Cut(recorded, t.cfg.textLimit))}
	}
	name := summary
	if name == "" {
		name = d.orSystem(d.name)
	}
	return d.newRecord(t, op, name, common, spanOnly)
}

// recorded returns what of a text is recorded.
func (m textMode) recorded(d telemetry.Description) string {
	switch m {
	case textNone:
		return ""
	case textAsWritten:
		return d.Text
	default:
		return d.Sanitized
	}
}
