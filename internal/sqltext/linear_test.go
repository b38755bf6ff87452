package sqltext_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestEveryTextIsReadInLinearTime counts steps, and looks at no clock. It makes
// a copy of the package in which each run of a loop or a function is a step, and
// each byte that package strings looks at, and has each exported function read
// texts of awkward tokens: sixteen times the text is no more than sixteen times
// the steps, and some.
func TestEveryTextIsReadInLinearTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exported := instrument(t, dir)
	for path, text := range map[string]string{
		"go.mod":               "module counted\n\ngo 1.26\n",
		"main.go":              readTestdata(t, "linear/main.go.txt"),
		"count/count.go":       readTestdata(t, "linear/count.go.txt"),
		"count/strings/str.go": readTestdata(t, "linear/strings.go.txt"),
		"count/utf8/utf8.go":   readTestdata(t, "linear/utf8.go.txt"),
	} {
		write(t, filepath.Join(dir, path), []byte(text))
	}
	memory, err := os.ReadFile("../memory/memory.go")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "memory/memory.go"), memory)
	size := "128"
	if os.Getenv("SESSIONPROXY_VERIFY") != "" {
		size = "4096"
	}
	run := exec.CommandContext(t.Context(), "go", "run", ".", size)
	run.Dir, run.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var complaints bytes.Buffer
	run.Stderr = &complaints
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	var counts []struct {
		Function string `json:"function"`
		Text     string `json:"text"`
		Dialect  int    `json:"dialect"`
		Bytes    [2]int `json:"bytes"`
		Steps    [2]int `json:"steps"`
	}
	if err := json.Unmarshal(out, &counts); err != nil {
		t.Fatal(err)
	}
	counted := map[string]bool{}
	worst := 0
	for _, c := range counts {
		counted[c.Function] = true
		perByte := [2]int{c.Steps[0] / c.Bytes[0], c.Steps[1] / c.Bytes[1]}
		worst = max(worst, perByte[1])
		if c.Steps[1] > 16*c.Steps[0]*5/4+1024 || perByte[1] > 200 {
			t.Errorf("%s, dialect %d, %s: %d steps for %d bytes, %d for %d",
				c.Function, c.Dialect, c.Text, c.Steps[0], c.Bytes[0], c.Steps[1], c.Bytes[1])
		}
	}
	t.Attr("name", "sqltext")
	t.Attr("texts", strconv.Itoa(2*len(counts)))
	t.Attr("most-steps-for-a-byte", strconv.Itoa(worst))
	for _, name := range exported {
		if !counted[name] {
			t.Errorf("%s is exported, and not counted in testdata/linear/main.go.txt", name)
		}
	}
}

// readers are exported functions that read no text.
var readers = map[string]bool{"DialectOf": true, "NewLexer": true, "NewCommonLexer": true, "NewCache": true, "NewTemplates": true}

// instrument copies the package with a step at the beginning of each function
// and of each run of a loop, and returns the names of its exported functions
// that read a text.
func instrument(t *testing.T, dir string) (exported []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			var body *ast.BlockStmt
			switch n := n.(type) {
			case *ast.ImportSpec:
				switch path, _ := strconv.Unquote(n.Path.Value); filepath.Base(path) {
				case "strings", "utf8":
					n.Path.Value = strconv.Quote("counted/count/" + filepath.Base(path))
				case "memory": // looks at addresses alone
					n.Path.Value = strconv.Quote("counted/memory")
				}
			case *ast.FuncDecl:
				body = n.Body
				if n.Recv == nil && n.Name.IsExported() && !readers[n.Name.Name] {
					exported = append(exported, n.Name.Name)
				}
			case *ast.FuncLit:
				body = n.Body
			case *ast.ForStmt:
				body = n.Body
			case *ast.RangeStmt:
				body = n.Body
			}
			if body != nil {
				step := &ast.ExprStmt{X: &ast.CallExpr{Fun: &ast.SelectorExpr{X: ast.NewIdent("count"), Sel: ast.NewIdent("Step")}}}
				body.List = append([]ast.Stmt{step}, body.List...)
			}
			return true
		})
		file.Comments = nil
		file.Decls = append([]ast.Decl{&ast.GenDecl{Tok: token.IMPORT, Specs: []ast.Spec{&ast.ImportSpec{
			Path: &ast.BasicLit{Kind: token.STRING, Value: `"counted/count"`},
		}}}}, file.Decls...)
		var out bytes.Buffer
		if err := format.Node(&out, token.NewFileSet(), file); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\nvar _ = count.Step\n")
		write(t, filepath.Join(dir, "sqltext", path), out.Bytes())
	}
	return exported
}

func readTestdata(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
