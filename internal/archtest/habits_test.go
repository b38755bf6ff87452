package archtest_test

import (
	"bytes"
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
