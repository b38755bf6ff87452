package statusz

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"strings"
	"time"
)

// What a page is made of. Style and script are part of the page, so that it
// needs nothing else.
var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	styleText string
	//go:embed page.js
	scriptText string
)

// contentPolicy allows the page its own style and script, by their hashes, and
// to fetch itself; nothing else, and no frame around it.
var contentPolicy = "default-src 'none'; style-src " + hashOf(styleText) + "; script-src " + hashOf(scriptText) +
	"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"grouped": func(n any) string { return grouped(toInt(n)) },
	"percent": func(part, whole any) string { return percent(toInt(part), toInt(whole)) },
	"rate":    rate,
	"clock":   func(t time.Time) string { return t.Format("15:04:05") },
	"label":   label,
	"list":    func(failed bool, of []incidentView) incidentList { return incidentList{failed, of} },
	"named":   named,
	"meter":   newMeter,
	"reserve": newReserve,
}).Parse(pageText))

// document is what the page is rendered from.
type document struct {
	*snapshot
	Style        template.HTML
	Script       template.HTML
	Refresh      int64 // ms
	Chart        chart
	Rows         []latencyRow
	Bars         []poolBar
	Circuits     []circuitRow
	Courses      []adaptiveRow
	Alarms       []circuitView // that are not closed
	Stages       []stageCount
	Flying, More []flightRow // those shown at once, and the others
}

func (p *Page) writeHTML(to *bytes.Buffer, s *snapshot) error {
	d := document{
		snapshot: s,
		Style:    template.HTML("<style>" + styleText + "</style>"),    //nolint:gosec // a constant
		Script:   template.HTML("<script>" + scriptText + "</script>"), //nolint:gosec // a constant
		Refresh:  p.refresh.Milliseconds(),
		Chart:    newChart(s),
		Rows:     latencyRows(s),
		Bars:     poolBars(s),
		Circuits: circuitRows(s),
		Courses:  adaptiveRows(s),
		Stages:   stageCounts(s),
	}
	d.Flying, d.More = flightRows(s)
	for _, c := range s.Breakers {
		if c.State != "closed" {
			d.Alarms = append(d.Alarms, c)
		}
	}
	return page.Execute(to, d)
}

// incidentList is a table of incidents.
type incidentList struct {
	Failed bool
	List   []incidentView
}

// toInt returns the number that a template has, whatever its type.
func toInt(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case *int64:
		return *n
	default:
		return 0
	}
}

// named returns the caller's name for a call, if the summary does not say it.
func named(name, summary string) string {
	if strings.HasSuffix(summary, name) {
		return ""
	}
	return name
}

// label returns what people read for a name: words with spaces.
func label(name string) string { return strings.ReplaceAll(name, "_", " ") }
