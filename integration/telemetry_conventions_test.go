package integration_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// conventions are OpenTelemetry's semantic conventions as far as the sources
// of module otel tell them: package semconv, which is generated from the
// registry, and its package of database metrics.
type conventions struct {
	attributes map[string]attributeRule
	prefixes   []string // of attributes with a key in their name
	metrics    map[string]metricRule
}

// attributeRule is what the conventions say of an attribute.
type attributeRule struct {
	kind   string   // string, int, double, boolean, string[], Enum
	values []string // of an Enum
}

// metricRule is what the conventions say of a metric.
type metricRule struct {
	unit       string
	instrument string   // in the words of [instrumentOf]
	required   []string // attributes
	allowed    []string // further attributes
}

// readConventions reads the sources of the version that the library uses.
var readConventions = sync.OnceValues(func() (*conventions, error) {
	const path = "go.opentelemetry.io/otel/semconv"
	version := semconv.SchemaURL[strings.LastIndexByte(semconv.SchemaURL, '/')+1:]
	p, err := build.Import(path+"/v"+version, ".", build.FindOnly)
	if err != nil {
		return nil, err
	}
	c := &conventions{attributes: map[string]attributeRule{}, metrics: map[string]metricRule{}}
	files := token.NewFileSet()
	attributes, err := parser.ParseFile(files, filepath.Join(p.Dir, "attribute_group.go"), nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	metrics, err := parser.ParseFile(files, filepath.Join(p.Dir, "dbconv", "metric.go"), nil, 0)
	if err != nil {
		return nil, err
	}
	c.readAttributes(attributes)
	c.readMetrics(metrics)
	return c, nil
})

// theConventions returns the conventions, having checked that they were
// understood.
func theConventions(t *testing.T) *conventions {
	t.Helper()
	c, err := readConventions()
	if err != nil {
		t.Fatal(err)
	}
	system, duration := c.attributes["db.system.name"], c.metrics["db.client.operation.duration"]
	if len(c.attributes) < 500 || len(c.metrics) < 10 || system.kind != "Enum" || !slices.Contains(system.values, "mariadb") ||
		!slices.Contains(c.prefixes, "db.query.parameter.") || duration.instrument != "histogram" || duration.unit != "s" ||
		!slices.Equal(duration.required, []string{"db.system.name"}) || !slices.Contains(duration.allowed, "db.query.summary") {
		t.Fatalf("the sources of the conventions are not what they were: %d attributes, %d metrics, %v, %v",
			len(c.attributes), len(c.metrics), system, duration)
	}
	return c
}

var typeLine = regexp.MustCompile(`(?m)^Type: (\S+)`)

// readAttributes reads keys, which are constants, the values of enumerations,
// which are variables, and functions that make a key.
func (c *conventions) readAttributes(f *ast.File) {
	keys := map[string]string{} // constant → attribute
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && len(v.Values) == 1 {
					c.readValue(keys, v)
				}
			}
		case *ast.FuncDecl:
			ast.Inspect(d.Body, func(n ast.Node) bool {
				if sum, ok := n.(*ast.BinaryExpr); ok {
					if prefix, ok := literal(sum.X); ok {
						c.prefixes = append(c.prefixes, prefix)
					}
				}
				return true
			})
		}
	}
}

// readValue reads a key: XKey = attribute.Key("x"), or a value of one:
// XOne = XKey.String("one").
func (c *conventions) readValue(keys map[string]string, v *ast.ValueSpec) {
	call, ok := v.Values[0].(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return
	}
	text, ok := literal(call.Args[0])
	made, isMethod := call.Fun.(*ast.SelectorExpr)
	if !ok || !isMethod {
		return
	}
	of := made.X.(*ast.Ident).Name
	if of == "attribute" && made.Sel.Name == "Key" {
		rule := attributeRule{}
		if m := typeLine.FindStringSubmatch(v.Doc.Text()); m != nil {
			rule.kind = m[1]
		}
		keys[v.Names[0].Name], c.attributes[text] = text, rule
		return
	}
	key := keys[of]
	rule := c.attributes[key]
	rule.values = append(rule.values, text)
	c.attributes[key] = rule
}

// readMetrics reads the types of instruments and their methods.
func (c *conventions) readMetrics(f *ast.File) {
	rules := map[string]*metricRule{}
	names := map[string]string{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if name, instrument, ok := embedded(s); ok {
					rules[name] = &metricRule{instrument: instrument}
				}
			}
		case *ast.FuncDecl:
			if d.Recv == nil {
				continue
			}
			of := d.Recv.List[0].Type.(*ast.Ident).Name
			found := literals(d.Body)
			switch name := d.Name.Name; {
			case name == "Name":
				names[of] = found[0]
			case name == "Unit":
				rules[of].unit = found[0]
			case name == "Record", name == "Add":
				slices.Sort(found)
				rules[of].required = slices.Compact(found)
			case strings.HasPrefix(name, "Attr"):
				rules[of].allowed = append(rules[of].allowed, found...)
			}
		}
	}
	for _, of := range slices.Sorted(maps.Keys(rules)) { // X before XObservable, which has no Add
		if name := names[of]; name != "" && c.metrics[name].unit == "" {
			c.metrics[name] = *rules[of]
		}
	}
}

// embedded returns the name of a struct and what it has in it: an instrument.
func embedded(s ast.Spec) (name, instrument string, ok bool) {
	t, ok := s.(*ast.TypeSpec)
	if !ok {
		return "", "", false
	}
	fields, ok := t.Type.(*ast.StructType)
	if !ok || len(fields.Fields.List) != 1 {
		return "", "", false
	}
	in, ok := fields.Fields.List[0].Type.(*ast.SelectorExpr)
	if !ok {
		return "", "", false
	}
	kind := strings.NewReplacer("Int64", "", "Float64", "", "Observable", "").Replace(in.Sel.Name)
	words := map[string]string{"Histogram": "histogram", "UpDownCounter": "up-down counter", "Counter": "counter", "Gauge": "gauge"}
	return t.Name.Name, words[kind], words[kind] != ""
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// literals returns the strings in a function.
func literals(n ast.Node) (out []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			if s, ok := literal(e); ok {
				out = append(out, s)
			}
		}
		return true
	})
	return out
}

func TestTheConventionsAreUnderstood(t *testing.T) {
	t.Parallel()
	c := theConventions(t)
	count := c.metrics["db.client.connection.count"]
	want := []string{"db.client.connection.pool.name", "db.client.connection.state"}
	if count.instrument != "up-down counter" || count.unit != "{connection}" || !slices.Equal(count.required, want) {
		t.Errorf("db.client.connection.count: %+v", count)
	}
	if timeouts := c.metrics["db.client.connection.timeouts"]; timeouts.instrument != "counter" || len(timeouts.required) != 1 {
		t.Errorf("db.client.connection.timeouts: %+v", timeouts)
	}
	if port := c.attributes["server.port"]; port.kind != "int" {
		t.Errorf("server.port: %+v", port)
	}
	if states := c.attributes["db.client.connection.state"].values; !slices.Equal(states, []string{"idle", "used"}) {
		t.Errorf("db.client.connection.state: %v", states)
	}
}
