package tracing

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// describeParameters records the arguments that [WithQueryParameters] names.
func (o *observation) describeParameters() {
	call, wanted := o.call, o.tracing.cfg.parameters
	if call.Op == sp.OpBatch && call.BatchSize != 1 {
		return
	}
	var out []attribute.KeyValue
	add := func(key string, value any) {
		if !wanted[key] {
			return
		}
		if text, ok := parameterText(value); ok {
			out = append(out, semconv.DBQueryParameter(key, telemetry.Cut(text, o.tracing.cfg.textLimit)))
		}
	}
	position := 0
	for i := range call.Args.Len() {
		name, value := call.Args.At(i)
		if arg, ok := value.(sql.NamedArg); ok { // of a handle: database/sql has not looked at it yet
			name, value = arg.Name, arg.Value
		}
		switch {
		case name != "":
			add(name, value)
		case ofPGX(value):
			addNamed(value, wanted, add)
			continue
		default:
			add(strconv.Itoa(position), value)
		}
		position++
	}
	if out != nil {
		o.span.SetAttributes(out...)
	}
}

// ofPGX reports whether an argument is none of the statement's, but says how
// pgx is to run it, or is a map of them, such as pgx.NamedArgs. pgx takes these
// out of the arguments.
func ofPGX(value any) bool {
	t := reflect.TypeOf(value)
	return t != nil && t.PkgPath() == "github.com/jackc/pgx/v5"
}

// addNamed adds the wanted arguments out of a map of pgx, if value is one.
func addNamed(value any, wanted map[string]bool, add func(key string, value any)) {
	m := reflect.ValueOf(value)
	if m.Kind() != reflect.Map || !m.CanConvert(reflect.TypeFor[map[string]any]()) {
		return
	}
	arguments := m.Convert(reflect.TypeFor[map[string]any]()).Interface().(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if value, ok := arguments[key]; ok {
			add(key, value)
		}
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
