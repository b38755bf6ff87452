package integration_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// dashboard is what Grafana needs of docs/dashboard.json, and this test.
type dashboard struct {
	Title         string  `json:"title"`
	UID           string  `json:"uid"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

// panel is one of a dashboard.
type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     gridPos    `json:"gridPos"`
	Targets     []target   `json:"targets"`
}

// gridPos is where a panel is, on a grid of 24 columns.
type gridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type target struct {
	Datasource   datasource `json:"datasource"`
	RefID        string     `json:"refId"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
}

func readDashboard(t *testing.T) *dashboard {
	t.Helper()
	text, err := os.ReadFile("../docs/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	d := &dashboard{}
	if err := json.Unmarshal(text, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestTheDashboardIsWellFormed holds what Grafana wants of a dashboard and does
// not tell about: panels with numbers and places of their own, the data source
// that was chosen, variables that exist.
func TestTheDashboardIsWellFormed(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	if d.Title == "" || d.UID == "" || d.SchemaVersion < 39 || len(d.Panels) < 20 {
		t.Errorf("%q, uid %q, schema %d, %d panels", d.Title, d.UID, d.SchemaVersion, len(d.Panels))
	}
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range d.Templating.List {
		if variables[v.Name] || v.Type != "datasource" && v.Type != "query" {
			t.Errorf("variable %s of type %s", v.Name, v.Type)
		}
		variables[v.Name] = true
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if p.ID <= 0 || ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: no number of its own, or no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		if g := p.GridPos; g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("panel %q is beside the grid: %+v", p.Title, g)
		}
		for _, other := range d.Panels[:i] {
			if p.GridPos.overlaps(other.GridPos) {
				t.Errorf("panels %q and %q overlap", p.Title, other.Title)
			}
		}
		p.check(t, variables)
	}
}

func (g gridPos) overlaps(o gridPos) bool {
	return g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H
}

// check holds that a panel asks the chosen data source, with variables that
// there are.
func (p panel) check(t *testing.T, variables map[string]bool) {
	t.Helper()
	chosen := datasource{"prometheus", "${datasource}"}
	if p.Type == "row" {
		return
	}
	if !slices.Contains([]string{"timeseries", "stat", "heatmap", "table"}, p.Type) || p.Datasource != chosen || p.Description == "" || len(p.Targets) == 0 {
		t.Errorf("panel %q: a %s of %v, %d expressions, described as %q", p.Title, p.Type, p.Datasource, len(p.Targets), p.Description)
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		if target.RefID == "" || refs[target.RefID] || target.Datasource != chosen {
			t.Errorf("panel %q: expression %q of %v", p.Title, target.RefID, target.Datasource)
		}
		refs[target.RefID] = true
		for _, v := range variablesOf(target.Expr) {
			if !variables[v] {
				t.Errorf("panel %q: there is no variable $%s", p.Title, v)
			}
		}
	}
}

// checkDashboard holds that each metric and label of the dashboard is one that
// Prometheus gets from the workload, and that the dashboard shows all metrics.
func (v *inventory) checkDashboard(t *testing.T) {
	t.Helper()
	d := readDashboard(t)
	shown := map[string]bool{}
	look := func(where, text, legend string) {
		e, err := parseExpression(text)
		if err != nil {
			t.Errorf("%s: %v: %s", where, err, text)
			return
		}
		for _, use := range e.metrics {
			labels, emitted := v.series[use.name]
			if !emitted {
				t.Errorf("%s: nothing emits %s", where, use.name)
				continue
			}
			shown[metricOf(use.name)] = true
			for _, label := range slices.Concat(use.labels, e.by) {
				if !slices.Contains(labels, label) && label != "job" { // which Prometheus adds
					t.Errorf("%s: %s has no label %s but %v", where, use.name, label, labels)
				}
			}
		}
		for _, label := range labelsOf(legend) {
			if !slices.Contains(e.by, label) {
				t.Errorf("%s: the legend shows %s, which the expression takes away", where, label)
			}
		}
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			look("panel "+p.Title, target.Expr, target.LegendFormat)
		}
	}
	for _, variable := range d.Templating.List {
		if variable.Type == "query" {
			look("variable "+variable.Name, variable.Definition, "")
		}
	}
	emitted := map[string]bool{}
	for name := range v.series {
		emitted[metricOf(name)] = true
	}
	for _, d := range differences("dashboard", slices.Collect(maps.Keys(shown)), "emitted", slices.Collect(maps.Keys(emitted))) {
		t.Error("metrics,", d)
	}
}

// metricOf returns the name of a metric without what tells the parts of a
// histogram apart.
func metricOf(series string) string {
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, part); ok && name != "db_client_connection" { // whose count is a metric
			return name
		}
	}
	return series
}

// addSeries adds the names of series and their labels.
func (e *emitted) addSeries(to map[string][]string) {
	for _, family := range e.series {
		names := []string{family.GetName()}
		if family.GetType().String() == "HISTOGRAM" {
			names = []string{family.GetName() + "_bucket", family.GetName() + "_sum", family.GetName() + "_count"}
			to[names[0]] = with(to[names[0]], "le")
		}
		if family.GetName() == "target_info" { // of the resource
			continue
		}
		for _, m := range family.GetMetric() {
			for _, name := range names {
				to[name] = slices.Clip(to[name])
				for _, l := range m.GetLabel() {
					to[name] = with(to[name], l.GetName())
				}
			}
		}
	}
}
