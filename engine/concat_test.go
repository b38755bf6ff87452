package engine_test

import (
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

func TestPartsAreBroughtTogether(t *testing.T) {
	t.Parallel()
	st := engine.Concat(
		engine.Text("SELECT * FROM t WHERE a = ? AND b = '$1'", 1), nil,
		engine.Text("AND c IN (:cs) AND d = :d", engine.Params{"cs": []int{2, 3}, "d": 4}),
		engine.Text("ORDER BY $1", 5), engine.Text("LIMIT 6"),
	)
	for _, tc := range []struct {
		dialect engine.Dialect
		want    string
	}{
		{
			engine.Dialect{System: sp.PostgreSQL, Placeholder: backend.Dollar},
			"SELECT * FROM t WHERE a = $1 AND b = '$1' AND c IN ($2, $3) AND d = $4 ORDER BY $5 LIMIT 6",
		},
		{
			engine.Dialect{System: sp.MariaDB},
			"SELECT * FROM t WHERE a = ? AND b = '$1' AND c IN (?, ?) AND d = ? ORDER BY ? LIMIT 6",
		},
	} {
		text, args, err := st.Render(&tc.dialect)
		if err != nil || text != tc.want || !slices.Equal(args, []any{1, 2, 3, 4, 5}) {
			t.Errorf("%s: %q, %v, %v", tc.dialect.System, text, args, err)
		}
	}
	if _, _, err := engine.Concat(engine.Text("a = ?")).Render(&engine.Dialect{System: sp.SQLite}); err == nil {
		t.Error("a part without its argument was taken")
	}
}
