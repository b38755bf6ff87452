package archtest_test

import (
	"bytes"
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAllocationsAreCountedByOneHelper keeps the flaky way to count them out:
// a single count of testing's includes what the runtime and other goroutines
// allocate meanwhile.
func TestAllocationsAreCountedByOneHelper(t *testing.T) {
	t.Parallel()
	flaky := []byte("testing." + "AllocsPerRun(")
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, flaky) {
			t.Errorf("%s calls %s, which counts what others allocate too; alloctest.PerRun does not", path, flaky)
		}
		found += bytes.Count(text, []byte("alloctest.PerRun("))
		return err
	})
	if err != nil || found == 0 {
		t.Error(found, err)
	}
}

// unsafePackages are those that may import package unsafe.
var unsafePackages = map[string]bool{"orm/mapping": true, "engine/scan": true, "internal/memory": true}

// TestUnsafeHasThreeHomes keeps what is unsafe behind the names of three
// packages; the others use these.
func TestUnsafeHasThreeHomes(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	sources(t, func(path string, file *ast.File, set *token.FileSet) {
		for _, imported := range file.Imports {
			if imported.Path.Value != `"unsafe"` {
				continue
			}
			dir := packageOf(t, path)
			if found[dir] = true; !unsafePackages[dir] {
				t.Errorf("%s imports unsafe: use internal/memory, orm/mapping or engine/scan", set.Position(imported.Pos()))
			}
		}
	})
	if len(found) != len(unsafePackages) {
		t.Errorf("unsafe is imported by %v, want all of %v", found, unsafePackages)
	}
}

// maxFiles is how many files a package may have, its tests apart.
const maxFiles = 25

func TestPackagesAreSmall(t *testing.T) {
	t.Parallel()
	files := map[string]int{}
	sources(t, func(path string, _ *ast.File, _ *token.FileSet) { files[packageOf(t, path)]++ })
	for dir, n := range files {
		if n > maxFiles {
			t.Errorf("%s has %d files, want at most %d: merge what is one idea, or make a package of it", dir, n, maxFiles)
		}
	}
}

// packageOf returns the path of a file's package in the repository.
func packageOf(t *testing.T, path string) string {
	t.Helper()
	dir, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.ToSlash(dir)
}
