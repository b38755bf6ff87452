package integration_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metricsPage is what docs/metrics.md says in its tables.
type metricsPage struct {
	metrics    map[string]metricRow
	attributes map[string]attributeRow
	events     []string
}

// metricRow is a row of a table of metrics.
type metricRow struct {
	instrument, unit string
	attributes       []string
}

// attributeRow is a row of the table of attributes.
type attributeRow struct {
	kind   string
	on     []string // span, event, log, metric
	values []string // all there may be; none if anything may
}

// readMetricsPage reads the tables, which are told apart by their heads.
func readMetricsPage(t *testing.T) *metricsPage {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	p := &metricsPage{metrics: map[string]metricRow{}, attributes: map[string]attributeRow{}}
	head := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		cells := cellsOf(line)
		switch {
		case len(cells) == 0:
			head = ""
		case head == "":
			head = line
		case strings.HasPrefix(cells[0], "---"):
		default:
			p.add(t, head, cells)
		}
	}
	if len(p.metrics) < 20 || len(p.attributes) < 10 || len(p.events) < 5 {
		t.Fatalf("docs/metrics.md: %d metrics, %d attributes, %d events: its tables are not understood", len(p.metrics), len(p.attributes), len(p.events))
	}
	return p
}

// add takes in a row of the table with this head.
func (p *metricsPage) add(t *testing.T, head string, cells []string) {
	t.Helper()
	if head == "| here | in Prometheus |" { // examples
		return
	}
	name := quoted(cells[0])
	if len(name) != 1 {
		t.Fatalf("docs/metrics.md: a row begins with %s, want a name", cells[0])
	}
	switch head {
	case "| metric | instrument | unit | attributes | when |":
		p.metrics[name[0]] = metricRow{instrument: cells[1], unit: strings.Join(quoted(cells[2]), ""), attributes: quoted(cells[3])}
	case "| attribute | type | on | values |":
		row := attributeRow{kind: cells[1], on: strings.Fields(cells[2])}
		if values := quoted(cells[3]); strings.Join(values, " ") == strings.ReplaceAll(cells[3], "`", "") {
			row.values = values
		}
		p.attributes[name[0]] = row
	case "| event | when |":
		p.events = append(p.events, name[0])
	default:
		t.Fatalf("docs/metrics.md: what is the table %s?", head)
	}
}

// cellsOf returns the cells of a row of a table, or nil.
func cellsOf(line string) []string {
	if !strings.HasPrefix(line, "|") || !strings.HasSuffix(line, "|") {
		return nil
	}
	cells := strings.Split(line[1:len(line)-1], "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

var code = regexp.MustCompile("`([^`]+)`")

// quoted returns what is in backquotes.
func quoted(cell string) (out []string) {
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	return out
}

// differences returns what is in one list alone, each item with the name of
// the list.
func differences(first string, a []string, second string, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, first+" alone: "+x)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			out = append(out, second+" alone: "+x)
		}
	}
	slices.Sort(out)
	return out
}
