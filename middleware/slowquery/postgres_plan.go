package slowquery

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// planNode is a node of the plan that PostgreSQL's EXPLAIN (FORMAT JSON) gives.
type planNode struct {
	Type     string     `json:"Node Type"`
	Join     string     `json:"Join Type"`
	Relation string     `json:"Relation Name"`
	Alias    string     `json:"Alias"`
	Index    string     `json:"Index Name"`
	First    float64    `json:"Startup Cost"`
	Total    float64    `json:"Total Cost"`
	Rows     float64    `json:"Plan Rows"`
	Width    int        `json:"Plan Width"`
	Plans    []planNode `json:"Plans"`

	properties map[string][]string // the rest, as "Filter"
}

// UnmarshalJSON reads a node, and what it has that is an expression or a list of
// them. Of these nobody can say that they hold no values.
func (n *planNode) UnmarshalJSON(data []byte) error {
	type plain planNode
	if err := json.Unmarshal(data, (*plain)(n)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	n.properties = map[string][]string{}
	for key, value := range all {
		if slices.Contains(planKeys, key) {
			continue
		}
		var one string
		var list []string
		switch {
		case json.Unmarshal(value, &one) == nil:
			n.properties[key] = []string{one}
		case json.Unmarshal(value, &list) == nil:
			n.properties[key] = list
		}
	}
	return nil
}

// planKeys are the keys of what a node's own line tells, and of what is not
// worth a line.
var planKeys = []string{
	"Node Type", "Join Type", "Relation Name", "Alias", "Index Name", "Plans",
	"Parent Relationship", "Partial Mode", "Scan Direction", "Strategy", "Subplan Name", "Schema",
}

// textOfPlan returns a plan as EXPLAIN writes it, without values.
func textOfPlan(answer []byte) (string, error) {
	var plans []struct {
		Plan planNode `json:"Plan"`
	}
	if err := json.Unmarshal(answer, &plans); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range plans {
		p.Plan.write(&b, 0)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func (n *planNode) write(b *strings.Builder, depth int) {
	indent := strings.Repeat(" ", 6*depth)
	if depth > 0 {
		b.WriteString(indent[:len(indent)-4] + "->  ")
	}
	b.WriteString(n.Type)
	if n.Join != "" && n.Join != "Inner" {
		fmt.Fprintf(b, " (%s)", n.Join)
	}
	if n.Index != "" {
		b.WriteString(" using " + n.Index)
	}
	if n.Relation != "" {
		b.WriteString(" on " + n.Relation)
	}
	if n.Alias != "" && n.Alias != n.Relation {
		b.WriteString(" " + n.Alias)
	}
	fmt.Fprintf(b, "  (cost=%.2f..%.2f rows=%.0f width=%d)\n", n.First, n.Total, n.Rows, n.Width)
	for _, key := range slices.Sorted(maps.Keys(n.properties)) {
		fmt.Fprintf(b, "%s  %s: %s\n", indent, key, sqltext.Sanitize(sqltext.PostgreSQL, strings.Join(n.properties[key], ", ")))
	}
	for i := range n.Plans {
		n.Plans[i].write(b, depth+1)
	}
}
