package integration_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// expression is what an expression of PromQL uses.
type expression struct {
	metrics []metricUse
	by      []string // labels that aggregations keep
}

// metricUse is a metric in an expression, and the labels that select its series.
type metricUse struct {
	name   string
	labels []string
}

// The words of PromQL that the dashboard may use.
var (
	promFunctions = []string{"sum", "min", "topk", "rate", "increase", "histogram_quantile", "vector", "label_values"}
	promOperators = []string{"or"}
)

// promToken is a word, a string, a range, or a sign.
var promToken = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*|"[^"]*"|\[[^\]]*\]|[0-9.]+|=~|!=|!~|[^\s]`)

// parseExpression finds what an expression uses. It knows as much of PromQL as
// docs/dashboard.json has.
func parseExpression(text string) (e expression, err error) {
	tokens := promToken.FindAllString(text, -1)
	depth := 0
	for i := 0; i < len(tokens); i++ {
		switch word := tokens[i]; {
		case word == "(":
			depth++
		case word == ")":
			if depth--; depth < 0 {
				return e, errors.New("a ) too many")
			}
		case word == "by":
			names, end := enclosed(tokens, i+1, "(", ")")
			for _, name := range names {
				if name != "," && !slices.Contains(e.by, name) {
					e.by = append(e.by, name)
				}
			}
			i = end
		case !isWord(word) || slices.Contains(promOperators, word):
		case slices.Contains(promFunctions, word) && i+1 < len(tokens) && (tokens[i+1] == "(" || tokens[i+1] == "by"):
			if word == "label_values" { // the last argument is the label
				e.by = append(e.by, tokens[len(tokens)-2])
				tokens = slices.Concat(tokens[:len(tokens)-2], tokens[len(tokens)-1:])
			}
		default:
			use := metricUse{name: word}
			if i+1 < len(tokens) && tokens[i+1] == "{" {
				matchers, end := enclosed(tokens, i+1, "{", "}")
				for _, m := range matchers {
					if isWord(m) {
						use.labels = append(use.labels, m)
					}
				}
				i = end
			}
			e.metrics = append(e.metrics, use)
		}
	}
	if depth != 0 || len(e.metrics) == 0 {
		return e, fmt.Errorf("%d ( too many, %d metrics", depth, len(e.metrics))
	}
	return e, nil
}

// enclosed returns the tokens between brackets that open at i, and where they
// close.
func enclosed(tokens []string, i int, opening, closing string) (between []string, end int) {
	if i >= len(tokens) || tokens[i] != opening {
		return nil, i - 1
	}
	end = i + slices.Index(tokens[i:], closing)
	return tokens[i+1 : max(end, i+1)], max(end, i)
}

func isWord(s string) bool {
	return s[0] == '_' || s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z'
}

var (
	promVariable = regexp.MustCompile(`\$\{?([A-Za-z_]+)`)
	legendLabel  = regexp.MustCompile(`\{\{ *([A-Za-z_]+) *\}\}`)
)

// variablesOf returns the names of Grafana's variables in an expression.
func variablesOf(text string) []string { return firstGroups(promVariable, text) }

// labelsOf returns the labels that a legend shows.
func labelsOf(legend string) []string { return firstGroups(legendLabel, legend) }

func firstGroups(pattern *regexp.Regexp, text string) (out []string) {
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestExpressionsAreUnderstood(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`sum(rate(a_total{job=~"$x", b!=""}[$__rate_interval]))`: "[{a_total [job b]}] []",
		`topk(10, sum by (le, c, d) (rate(a_bucket[5m]))) / b{}`: "[{a_bucket []} {b []}] [le c d]",
		`(sum(a{b="sum(x)"}) or vector(0)) + c`:                  "[{a [b]} {c []}] []",
		`label_values(a_count{job=~"$x"}, b)`:                    "[{a_count [job]}] [b]",
	} {
		e, err := parseExpression(text)
		if got := fmt.Sprint(e.metrics, e.by); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"sum(a", "sum(a))", "1 + 2", ""} {
		if e, err := parseExpression(text); err == nil {
			t.Errorf("%q is taken for %+v", text, e)
		}
	}
	if got := strings.Join(variablesOf(`a{b=~"$one"}[$two] ${three}`), " "); got != "one two three" {
		t.Errorf("variables %s", got)
	}
}
