package literals_test

import (
	"database/sql"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// TestSQLiteAgreesOnWhatIsAParameter asks the database: each text gives a true
// value with its arguments.
func TestSQLiteAgreesOnWhatIsAParameter(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", dbtest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, test := range []struct {
		text   string
		places []any
		names  map[string]any
	}{
		{text: `SELECT '?' <> ':a' AND "?" = ? FROM (SELECT 3 AS "?")`, places: []any{3}},
		{text: `SELECT [:a] = @a AND $a = :a -- ?` + "\n" + `FROM (SELECT 3 AS [:a])`, names: map[string]any{"a": 3}},
		{text: `SELECT ?2 - ?1 = 1`, places: []any{1, 2}},
		{text: `SELECT $2 - $1 = $2 - $1`, places: []any{1, 2}},
		{text: `SELECT 2 IN (0, :a, :a) AND 4 NOT IN :b`, names: map[string]any{"a": []int{1, 2}, "b": []any{1, "x"}}},
	} {
		template, err := sqltext.Compile(sqltext.SQLite, test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		text, args, err := template.Bind(test.places)
		if test.names != nil {
			text, args, err = template.BindNamed(test.names)
		}
		var ok bool
		if err == nil {
			err = db.QueryRowContext(t.Context(), text, args...).Scan(&ok)
		}
		if err != nil || !ok {
			t.Errorf("%s\n%s: %t, %v", test.text, text, ok, err)
		}
	}
}
