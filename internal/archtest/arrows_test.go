package archtest_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxUpward is how many arrows between files of orm may run upwards.
const maxUpward = 3

// TestArrowsBetweenFilesOfORMPointDown holds that the files of package orm can be
// read from the bottom up. An arrow runs from a file to one that declares a
// name, at the level of the package, which the first uses; methods are not
// counted, since the verbs of a session belong to it wherever they stand. The
// files are put into the order that a greedy reader finds; what still points
// upwards is counted.
func TestArrowsBetweenFilesOfORMPointDown(t *testing.T) {
	t.Parallel()
	arrows := arrowsOf(t, filepath.Join(root, "orm"))
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
	if len(order) < 10 || total < 20 {
		t.Fatalf("%d files with %d arrows: they are not found any more", len(order), total)
	}
	if slices.Sort(upward); len(upward) > maxUpward {
		t.Errorf("%d of %d arrows run upwards, want at most %d: %s", len(upward), total, maxUpward, strings.Join(upward, ", "))
	}
}

// arrowsOf returns which files of a package use names that others declare.
func arrowsOf(t *testing.T, dir string) map[string]map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set, files, declared := token.NewFileSet(), map[string]*ast.File{}, map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0) // resolves what the file itself declares
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(name)
		files[base] = file
		for id := range file.Scope.Objects { //nolint:staticcheck // names of one package need no types
			declared[id] = base
		}
	}
	arrows := map[string]map[string]bool{}
	for name, file := range files {
		arrows[name] = map[string]bool{}
		for _, id := range file.Unresolved {
			if to := declared[id.Name]; to != "" && to != name {
				arrows[name][to] = true
			}
		}
	}
	return arrows
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
