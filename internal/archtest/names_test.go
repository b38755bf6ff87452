package archtest_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNamesAreListed holds the table of exported names in docs/design.md. A
// package that grows says so there; it is meant to be felt.
func TestNamesAreListed(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	sources(t, func(path string, file *ast.File, _ *token.FileSet) {
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if n := exported(file); n > 0 && !slices.ContainsFunc(strings.Split(dir, "/"), isApart) {
			counts[strings.Replace(dir, ".", "root", 1)] += n
		}
	})
	var want strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&want, "| `%s` | %d |\n", name, counts[name])
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "\n"+want.String()) {
		t.Errorf("docs/design.md, \"Exported names\": want the rows\n%s", want.String())
	}
}

// isApart reports whether what is in a folder is no user's.
func isApart(folder string) bool {
	switch folder {
	case "internal", "integration", "bench", "examples", "scripts", "enginetest":
		return true
	}
	return false
}

// exported counts the types, functions, constants and variables that a file
// exports: what is on its package's page.
func exported(file *ast.File) (n int) {
	count := func(id *ast.Ident) {
		if id.IsExported() {
			n++
		}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				count(d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					count(s.Name)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						count(name)
					}
				}
			}
		}
	}
	return n
}

// twoScreens is how many lines the root's page may have.
const twoScreens = 90

// TestTheRootFitsOnTwoScreens keeps the page short of those who use and write
// interceptors.
func TestTheRootFitsOnTwoScreens(t *testing.T) {
	t.Parallel()
	page, err := exec.CommandContext(t.Context(), "go", "doc", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(page), "\n"); lines < 20 || lines > twoScreens {
		t.Errorf("go doc of the root has %d lines, want at most %d", lines, twoScreens)
	}
}
