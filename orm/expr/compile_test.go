package expr_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// wrongCode does not compile, for the reason beside it; right code, where there is
// no reason, does.
var wrongCode = []struct{ code, reason string }{
	{`expr.Eq(&p.Name, "al")`, ""},
	{`expr.Eq(&p.Name, 1)`, "untyped int constant"},
	{`expr.Gt(&p.Age, 18)`, ""},
	{`expr.Gt(&p.Age, "18")`, "untyped string constant"},
	{`expr.Gt(&p.Age, 1.5)`, "truncated"},
	{`expr.Gt(&p.Age, int64(18))`, "type int64 of int64(18) does not match"},
	{`expr.Eq(&p.Nick, &nick)`, ""},
	{`expr.Eq(&p.Nick, nil)`, ""},
	{`expr.Eq(&p.Nick, "al")`, "untyped string constant"},
	{`expr.Eq(&p.Name, nil)`, "cannot use nil as string value"},
	{`expr.Opt(&p.Nick).Eq("al")`, ""},
	{`expr.Opt(&p.Nick).Eq(1)`, "cannot use 1"},
	{`expr.Opt(&p.Name)`, "type *string of &p.Name does not match"},
	{`expr.In(&p.ID, 1, 2)`, ""},
	{`expr.In(&p.ID, 1, "2")`, "untyped string constant"},
	{`expr.Between(&p.Age, 1, 2)`, ""},
	{`expr.Between(&p.Age, 1, p.Name)`, "does not match"},
	{`expr.Like(&p.Name, "a%")`, ""},
	{`expr.Like(&p.Nick, "a%")`, ""},
	{`expr.Like(&p.Kind, "a%")`, ""},
	{`expr.Like(&p.Age, "a%")`, "int does not satisfy expr.Textual"},
	{`expr.Like(&p.Name, 1)`, "cannot use 1"},
	{`expr.Eq(&p.Kind, "k")`, ""},
	{`expr.Eq(&p.Kind, p.Name)`, "as Kind value"},
	{`expr.EqField(&p.Name, &t.Name)`, ""},
	{`expr.EqField(&p.Name, &t.ID)`, "does not match"},
	{`expr.Eq(&p.Surname, "al")`, "p.Surname undefined"},
	{`expr.Eq(p.Name, "al")`, "string"},
	{`expr.And(expr.Eq(&p.ID, 1), p.ID)`, "does not implement expr.Cond"},
	{`expr.Not("id = 1")`, "does not implement expr.Cond"},
}

// TestWrongCodeDoesNotCompile is that the compiler checks conditions.
func TestWrongCodeDoesNotCompile(t *testing.T) {
	t.Parallel()
	imports := exported(t, "github.com/sessionproxy/sessionproxy/orm/expr", "github.com/sessionproxy/sessionproxy/orm")
	for _, c := range wrongCode {
		err := compile(t, imports, c.code)
		switch {
		case c.reason == "" && err != nil:
			t.Errorf("%s does not compile: %v", c.code, err)
		case c.reason != "" && err == nil:
			t.Errorf("%s compiles", c.code)
		case c.reason != "" && !strings.Contains(err.Error(), c.reason):
			t.Errorf("%s: got %q, want %q", c.code, err, c.reason)
		}
	}
}

// compile checks the types of an expression.
func compile(t *testing.T, imports types.Importer, code string) error {
	t.Helper()
	source := fmt.Sprintf(`package p
		import ("github.com/sessionproxy/sessionproxy/orm"; "github.com/sessionproxy/sessionproxy/orm/expr")
		type Kind string
		type Team struct { ID int64; Name string }
		type Person struct { ID int64; Name string; Age int; Nick *string; Kind Kind }
		var p, t = orm.From[Person]().Row(), orm.From[Team]().Row()
		var nick string
		var _ = %s`, code)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&types.Config{Importer: imports}).Check("p", fset, []*ast.File{file}, nil)
	return err
}

// exported returns an importer of packages as the go command compiled them.
func exported(t *testing.T, names ...string) types.Importer {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string `json:"ImportPath"`
			Export     string `json:"Export"`
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
}
