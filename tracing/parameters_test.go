package tracing_test

import (
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"go.opentelemetry.io/otel/attribute"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
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
			c.Args = attach.NamedArgs([]driver.NamedValue{{Name: "v", Ordinal: 1, Value: tc.value}})
			s := observed(t, c, tracing.WithQueryParameters("v"), tracing.WithQueryTextLimit(63))
			if got := s.attr("db.query.parameter.v"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestParametersAreFoundByNameAndPosition(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []any
		want string
	}{
		"positional":                      {[]any{"a", "b"}, "0=a 1=b"},
		"named, of a handle":              {[]any{sql.Named("email", "e"), "b", sql.Named("name", "n")}, "1=b email=e"},
		"named, of pgx":                   {[]any{pgx.NamedArgs{"email": "e", "name": "n"}}, "email=e"},
		"named strictly, of pgx":          {[]any{pgx.StrictNamedArgs{"email": "e"}}, "email=e"},
		"what tells pgx how to do it":     {[]any{pgx.QueryExecModeExec, pgx.QueryResultFormats{1}, "a", 7}, "0=a 1=7"},
		"a value that pgx has a type for": {[]any{pgtype.Int4{Int32: 3, Valid: true}}, "0=3"},
		"nothing":                         {[]any{nil}, "0=NULL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := call(sp.OpExec, "UPDATE t SET a = 1")
			c.Args = attach.PlainArgs(tc.args)
			s := observed(t, c, tracing.WithQueryParameters("0", "1", "email"))
			got := ""
			for _, key := range []string{"0", "1", "2", "email", "name"} {
				if v := s.attr(attribute.Key("db.query.parameter." + key)); v != "" {
					got += " " + key + "=" + v
				}
			}
			if got != " "+tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
