package archtest_test

import (
	"cmp"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxUpward is how many arrows between files of orm may run upwards.
const maxUpward = 4

// TestArrowsBetweenFilesOfORMPointDown holds that the files of package orm can be
// read from the bottom up. An arrow runs from a file to one that declares a name or a
// method that the first uses. Fields are not counted: a struct's belong to its type,
// for which there is an arrow. The files are put into the order that a greedy reader
// finds; what still points upwards is counted.
func TestArrowsBetweenFilesOfORMPointDown(t *testing.T) {
	t.Parallel()
	arrows := arrowsOf(t, "orm")
	order := bottomUp(arrows)
	at := map[string]int{}
	for i, f := range order {
		at[f] = i
	}
	var upward []string
	total := 0
	for from, targets := range arrows {
		for to := range targets {
			if total++; at[to] > at[from] {
				upward = append(upward, from+" → "+to)
			}
		}
	}
	if len(order) < 10 || total < 60 {
		t.Fatalf("%d files with %d arrows: they are not found any more", len(order), total)
	}
	if slices.Sort(upward); len(upward) > maxUpward {
		t.Errorf("%d of %d arrows run upwards, want at most %d: %s", len(upward), total, maxUpward, strings.Join(upward, ", "))
	}
}

// arrowsOf returns which files of a package use names and methods that others declare.
func arrowsOf(t *testing.T, dir string) map[string]map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set, arrows := token.NewFileSet(), map[string]map[string]bool{}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		arrows[filepath.Base(name)] = map[string]bool{}
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: compiled(t, set, dir)}).Check(dir, set, files, info)
	if err != nil {
		t.Fatal(err)
	}
	for id, object := range info.Uses {
		if object.Pkg() != pkg || object.Parent() != pkg.Scope() && !isMethod(object) {
			continue
		}
		from, to := filepath.Base(set.Position(id.Pos()).Filename), filepath.Base(set.Position(object.Pos()).Filename)
		if from != to {
			arrows[from][to] = true
		}
	}
	return arrows
}

func isMethod(object types.Object) bool {
	f, ok := object.(*types.Func)
	return ok && f.Signature().Recv() != nil
}

// compiled imports what a package imports as the go command has compiled it.
func compiled(t *testing.T, set *token.FileSet, dir string) types.Importer {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./"+dir)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = file
	}
	return importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
}

// bottomUp orders files so that few arrows run upwards: the next is one whose
// arrows all end below it, or else the one that most of the files left use, less
// the arrows that do not (the heuristic of Eades, Lin and Smyth).
func bottomUp(arrows map[string]map[string]bool) (order []string) {
	below := map[string]bool{}
	for left := slices.Sorted(maps.Keys(arrows)); len(left) > 0; {
		open := func(f string) (n int) {
			for to := range arrows[f] {
				if !below[to] {
					n++
				}
			}
			return n
		}
		weight := func(f string) int {
			n := open(f)
			if n == 0 {
				return -len(arrows)
			}
			for _, other := range left {
				if arrows[other][f] {
					n--
				}
			}
			return n
		}
		next := slices.MinFunc(left, func(a, b string) int { return cmp.Compare(weight(a), weight(b)) })
		order, below[next] = append(order, next), true
		left = slices.DeleteFunc(left, func(f string) bool { return f == next })
	}
	return order
}
