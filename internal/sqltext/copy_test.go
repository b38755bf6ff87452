package sqltext_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

func TestIsCopy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`COPY "users" ("name") FROM STDIN`:         true,
		"-- nightly\n /* all */ copy t from stdin": true,
		`"copy" t FROM STDIN`:                      false,
		"SELECT copy FROM t":                       false,
		"copying":                                  false,
		"/* COPY t FROM STDIN":                     false,
		"":                                         false,
	} {
		if got := sqltext.IsCopy(sqltext.PostgreSQL, text); got != want {
			t.Errorf("IsCopy(%q) = %t", text, got)
		}
	}
}
