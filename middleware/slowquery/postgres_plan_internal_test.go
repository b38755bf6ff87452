package slowquery

import (
	"strings"
	"testing"
)

const joined = `[{"Plan": {"Node Type": "Hash Join", "Parallel Aware": false, "Join Type": "Left", "Startup Cost": 1.05,
	"Total Cost": 2.1, "Plan Rows": 3, "Plan Width": 36, "Hash Cond": "(a.id = b.id)", "Plans": [
	{"Node Type": "Index Scan", "Parent Relationship": "Outer", "Index Name": "a_pkey", "Relation Name": "accounts", "Alias": "a",
	 "Startup Cost": 0, "Total Cost": 1, "Plan Rows": 3, "Plan Width": 4, "Index Cond": "(id = 4711)", "Filter": "(name = 'x: y\\n->  z'::text)"},
	{"Node Type": "Sort", "Startup Cost": 1, "Total Cost": 1, "Plan Rows": 1, "Plan Width": 4, "Sort Key": ["b.id", "(b.n + 17)"]}]}}]`

func TestTextOfPlan(t *testing.T) {
	t.Parallel()
	got, err := textOfPlan([]byte(joined))
	want := `Hash Join (Left)  (cost=1.05..2.10 rows=3 width=36)
  Hash Cond: (a.id = b.id)
  ->  Index Scan using a_pkey on accounts a  (cost=0.00..1.00 rows=3 width=4)
        Filter: (name = ?::text)
        Index Cond: (id = ?)
  ->  Sort  (cost=1.00..1.00 rows=1 width=4)
        Sort Key: b.id, (b.n + ?)`
	if err != nil || got != want {
		t.Errorf("error %v, got\n%s\nwant\n%s", err, got, want)
	}
	for _, answer := range []string{"", "{}", "QUERY PLAN", `[{"Plan": 1}]`} {
		if _, err := textOfPlan([]byte(answer)); err == nil {
			t.Errorf("%q is no plan", answer)
		}
	}
}

func FuzzTextOfPlan(f *testing.F) {
	f.Add("(name = 'ann')")
	f.Add("'a\n  ->  b: c'")
	f.Fuzz(func(t *testing.T, literal string) {
		quoted := "'" + strings.ReplaceAll(strings.ReplaceAll(literal, "'", "''"), "\x00", "") + "secret4711'"
		n := planNode{Type: "Result", properties: map[string][]string{"Filter": {"(name = " + quoted + ")"}}}
		var b strings.Builder
		n.write(&b, 0)
		if strings.Contains(b.String(), "secret4711") {
			t.Errorf("%s", b.String())
		}
	})
}
