package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// sources calls visit with every Go file of the repository that is neither a
// test nor generated.
func sources(t *testing.T, visit func(path string, file *ast.File, set *token.FileSet)) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if !ast.IsGenerated(file) {
			visit(path, file, set)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEverythingExportedIsDocumented covers what linters leave out: fields of
// structs and methods of interfaces.
func TestEverythingExportedIsDocumented(t *testing.T) {
	t.Parallel()
	sources(t, func(path string, file *ast.File, set *token.FileSet) {
		if file.Name.Name == "main" {
			return
		}
		missing := func(pos token.Pos, what string) {
			t.Errorf("%s: %s has no doc comment", set.Position(pos), what)
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					missing(d.Pos(), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					checkSpec(d, spec, missing)
				}
			}
		}
	})
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return ast.IsExported(name)
}

func checkSpec(d *ast.GenDecl, spec ast.Spec, missing func(token.Pos, string)) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		if d.Doc == nil && s.Doc == nil {
			missing(s.Pos(), s.Name.Name)
		}
		switch typ := s.Type.(type) {
		case *ast.StructType:
			checkFields(s.Name.Name, typ.Fields, missing)
		case *ast.InterfaceType:
			checkFields(s.Name.Name, typ.Methods, missing)
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
				missing(s.Pos(), name.Name)
			}
		}
	}
}

func checkFields(of string, fields *ast.FieldList, missing func(token.Pos, string)) {
	for _, f := range fields.List {
		for _, name := range f.Names {
			if name.IsExported() && f.Doc == nil && f.Comment == nil {
				missing(f.Pos(), of+"."+name.Name)
			}
		}
	}
}

// maxLines is how long a file may be without saying why.
const maxLines = 400

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	sources(t, func(path string, file *ast.File, set *token.FileSet) {
		lines := set.File(file.FileStart).LineCount()
		if lines <= maxLines {
			return
		}
		for _, c := range file.Comments {
			if strings.Contains(c.Text(), "Long file: ") {
				return
			}
		}
		t.Errorf("%s has %d lines, and no comment %q", path, lines, "Long file: the reason")
	})
}
