//go:build !race

package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

var updateAllocations = flag.Bool("update-allocations", false, "write testdata/allocations.txt anew")

// goldenVersion is the release of Go and the operating system with which the file
// was written: others allocate differently.
func goldenVersion() string {
	release := runtime.Version()
	if parts := strings.SplitN(release, ".", 3); len(parts) == 3 {
		release = parts[0] + "." + parts[1]
	}
	return release + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// TestAllocationsAreThoseOfTheFile counts allocations and bytes of every row on
// back ends in memory, exactly. What costs more than the file says is a mistake, what costs less
// an improvement that the file is to keep: go test -C bench -run Allocations -update-allocations.
func TestAllocationsAreThoseOfTheFile(t *testing.T) {
	path := filepath.Join("testdata", "allocations.txt")
	old, err := os.ReadFile(path)
	if err != nil && !*updateAllocations {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(old), "\n"); !*updateAllocations && first != goldenVersion() {
		t.Skipf("the file is of %s, this is %s", first, goldenVersion())
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties pools
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	rows := append([]string{goldenVersion()}, sqlAllocations(t, Subjects(), Workloads)...)
	rows = append(rows, sqlAllocations(t, KitSubjects(), KitWorkloads)...)
	rows = append(rows, pgxAllocations(t)...)
	got := strings.Join(rows, "\n") + "\n"
	if *updateAllocations {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := figures(strings.Split(strings.TrimSuffix(string(old), "\n"), "\n")[1:])
	now := figures(rows[1:])
	for name, g := range now {
		if w, ok := want[name]; !ok || g != w {
			t.Errorf("%s: %s allocations and bytes, the file has %q", name, g, w)
		}
	}
	for name := range want {
		if _, ok := now[name]; !ok {
			t.Errorf("%s: the file has a row that nobody measures", name)
		}
	}
}

// figures returns allocations and bytes by the name of the row.
func figures(rows []string) map[string]string {
	out := make(map[string]string, len(rows))
	for _, r := range rows {
		if parts := strings.Split(r, " | "); len(parts) == 5 {
			out[strings.Join(parts[:3], " | ")] = parts[3] + " | " + parts[4]
		}
	}
	return out
}

func sqlAllocations(t *testing.T, subjects []Subject, loads []Workload) (rows []string) {
	t.Helper()
	for _, load := range loads {
		for _, s := range subjects {
			connector, err := FakeConnector("")
			if err != nil {
				t.Fatal(err)
			}
			db, err := s.Open(connector)
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			op, err := load.Prepare(db)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.Background(), context.CancelFunc(func() {})
			if s.Context != nil {
				ctx, cancel = s.Context()
			}
			rows = append(rows, row(t, load.Name, s.Name, s.State, 100, func() error { return op(ctx) }))
			cancel()
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	return rows
}

func pgxAllocations(t *testing.T) (rows []string) {
	t.Helper()
	server, err := FakePGX()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range PGXSubjects() {
		config, err := server.Config()
		if err != nil {
			t.Fatal(err)
		}
		db, err := s.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := s.Context()
		for _, load := range PGXWorkloads {
			if load.Undo == nil { // a COPY is too long
				rows = append(rows, row(t, load.Name, s.Name, s.State, 20, func() error { return load.Do(ctx, db) }))
			}
		}
		cancel()
		db.Close()
	}
	return rows
}

// row counts what an operation allocates, many times: the median, since a map or
// a list grows now and then, and goroutines of others add to a count.
func row(t *testing.T, load, subject string, state State, runs int, op func() error) string {
	t.Helper()
	allocs, bytes := make([]uint64, runs), make([]uint64, runs)
	var before, after runtime.MemStats
	for i := -runs; i < runs; i++ { // first caches are filled
		// database/sql has a goroutine wait for the end of rows and transactions
		// under a context. Let it end now, so that the next has its place.
		runtime.Gosched()
		if i >= 0 {
			runtime.ReadMemStats(&before)
		}
		if err := op(); err != nil {
			t.Fatalf("%s, %s: %v", subject, load, err)
		}
		if i >= 0 {
			runtime.ReadMemStats(&after)
			allocs[i], bytes[i] = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
		}
	}
	slices.Sort(allocs)
	slices.Sort(bytes)
	return fmt.Sprintf("%s | %s | %s | %d | %d", load, subject, state, allocs[runs/2], bytes[runs/2])
}
