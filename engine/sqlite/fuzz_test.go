package sqlite_test

import (
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
)

// FuzzParameters looks for parameters that make opening panic.
func FuzzParameters(f *testing.F) {
	for _, params := range []string{
		"mode=ro", "busy_timeout=5s&journal_mode=off", "cache_size=-7", "foreign_keys=no&synchronous=extra", "statement_cache=0",
	} {
		f.Add("a.db", params)
	}
	f.Fuzz(func(t *testing.T, database, params string) {
		e, err := engine.Open(t.Context(), "sqlite:"+database+"?"+params, engine.WithLazyConnect())
		if err == nil {
			if derr := e.Dispose(); derr != nil {
				t.Error(derr)
			}
			return
		}
		if !strings.HasPrefix(err.Error(), "engine: ") {
			t.Errorf("%q: %v", params, err)
		}
	})
}
