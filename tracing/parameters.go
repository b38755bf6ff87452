package tracing

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// describeParameters records the arguments that [WithQueryParameters] names.
func (o *observation) describeParameters() {
	call, cfg := o.call, &o.tracing.cfg
	if call.Op == sp.OpBatch && call.BatchSize != 1 {
		return
	}
	var out []attribute.KeyValue
	for i := range call.Args.Len() {
		key, value := call.Args.At(i)
		if key == "" {
			key = strconv.Itoa(i)
		}
		if !cfg.parameters[key] {
			continue
		}
		if text, ok := parameterText(value); ok {
			out = append(out, semconv.DBQueryParameter(key, cut(text, cfg.textLimit)))
		}
	}
	if out != nil {
		o.span.SetAttributes(out...)
	}
}

// parameterText writes a value as database/sql would send it; false if it
// would not send it at all.
func parameterText(value any) (string, bool) {
	v, err := driver.DefaultParameterConverter.ConvertValue(value)
	if err != nil {
		return "", false
	}
	switch v := v.(type) {
	case nil:
		return "NULL", true
	case string:
		return v, true
	case []byte:
		return string(v), true
	case time.Time:
		return v.Format(time.RFC3339Nano), true
	default:
		return fmt.Sprint(v), true
	}
}
