package tracing_test

import (
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func TestParametersAreWrittenAsTheyWouldBeSent(t *testing.T) {
	t.Parallel()
	seven := 7
	at := time.Date(2026, 11, 20, 22, 0, 0, 5, time.UTC)
	for name, tc := range map[string]struct {
		value any
		want  string
	}{
		"null":                    {nil, "NULL"},
		"text":                    {"a b", "a b"},
		"bytes":                   {[]byte("ab"), "ab"},
		"number":                  {1.5, "1.5"},
		"time":                    {at, "2026-11-20T22:00:00.000000005Z"},
		"pointer":                 {&seven, "7"},
		"nil pointer":             {(*int)(nil), "NULL"},
		"valuer":                  {sql.NullString{String: "x", Valid: true}, "x"},
		"long text":               {strings.Repeat("é", 50), strings.Repeat("é", 31)},
		"what can't be sent":      {make(chan int), ""},
		"valuer that has nothing": {sql.NullInt64{}, "NULL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := call(sp.OpExec, "UPDATE t SET a = :v")
			c.Args = sp.NamedArgs([]driver.NamedValue{{Name: "v", Ordinal: 1, Value: tc.value}})
			s := observed(t, c, tracing.WithQueryParameters("v"), tracing.WithQueryTextLimit(63))
			if got := s.attr("db.query.parameter.v"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
