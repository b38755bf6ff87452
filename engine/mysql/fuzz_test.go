package mysql_test

import (
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
)

// FuzzParameters looks for parameters that make opening panic, or an error that
// shows the password.
func FuzzParameters(f *testing.F) {
	for _, params := range []string{
		"tls=true&tls_ca=/no/such", "connect_timeout=5s", "sql_mode=ANSI,%27", "application_name=a%3Ab", "collation=x%00", "max_allowed_packet=9",
	} {
		f.Add("db", params)
	}
	f.Fuzz(func(t *testing.T, database, params string) {
		e, err := engine.Open(t.Context(), "mysql://u:hunter2@127.0.0.1:1/"+database+"?"+params, engine.WithLazyConnect())
		if err == nil {
			if derr := e.Dispose(); derr != nil {
				t.Error(derr)
			}
			return
		}
		if strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "engine: ") {
			t.Errorf("%q: %v", params, err)
		}
	})
}
