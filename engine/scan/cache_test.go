package scan_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

func TestPlansAreKept(t *testing.T) {
	t.Parallel()
	type row struct{ A, B int }
	first, err := scan.PlanFor[row]([]string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := scan.PlanFor[row]([]string{"a", "b"})
	if err != nil || again != first {
		t.Errorf("the plan was made twice, %v", err)
	}
	other, err := scan.PlanFor[row]([]string{"b", "a"})
	if err != nil || other == first || !slices.Equal(other.Columns(), []string{"b", "a"}) {
		t.Errorf("another order of columns has the plan of the first, %v", err)
	}
}

func TestACallersColumnsMayChange(t *testing.T) {
	t.Parallel()
	type row struct{ A, B int }
	columns := []string{"a", "b"}
	if _, err := scan.PlanFor[row](columns); err != nil {
		t.Fatal(err)
	}
	columns[0], columns[1] = "b", "a"
	plan, err := scan.PlanFor[row](columns)
	if err != nil {
		t.Fatal(err)
	}
	var r row
	if plan.Targets(&r, nil)[0] != &r.B {
		t.Error("the plan of other columns was found")
	}
}

// TestPlansAreFoundFromManyGoroutines asks for more lists of columns than are
// kept, from several goroutines, and checks each plan.
func TestPlansAreFoundFromManyGoroutines(t *testing.T) {
	t.Parallel()
	type row struct{ A, B int }
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 600 {
				columns := []string{fmt.Sprint("x", i), "b", fmt.Sprint("y", i%7)}
				plan, err := scan.PlanFor[row](columns, scan.WithUnknownIgnored())
				var r row
				if err != nil || plan.Targets(&r, nil)[1] != &r.B || !slices.Equal(plan.Columns(), columns) {
					t.Errorf("%q: %v", columns, err)
				}
			}
		})
	}
	wg.Wait()
}

// fixed is a row whose values are there at once.
type fixed struct{ at time.Time }

func (f fixed) Scan(dest ...any) error {
	*dest[0].(*int64) = 1
	*dest[1].(*string) = "x"
	return dest[2].(interface{ Scan(src any) error }).Scan(f.at)
}

func TestReadingARowAllocatesNothing(t *testing.T) {
	type row struct {
		ID   int64
		Name Status
		At   time.Time
	}
	columns := []string{"id", "name", "at"}
	var r row
	var source scan.Row = fixed{time.Unix(1, 0)}
	if n := alloctest.PerRun(100, func() {
		plan, err := scan.PlanFor[row](columns, scan.WithConversions())
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Scan(source, &r); err != nil {
			t.Fatal(err)
		}
	}); n > 1+alloctest.Lost { // the time in an any
		t.Errorf("%v allocations", n)
	}
	plan, err := scan.PlanFor[row](columns)
	if err != nil {
		t.Fatal(err)
	}
	buf := plan.Targets(&r, nil)
	if n := alloctest.PerRun(100, func() { buf = plan.Targets(&r, buf) }); n != 0 {
		t.Errorf("the targets of a row: %v allocations", n)
	}
	if r.ID != 1 || r.Name != "x" || !r.At.Equal(time.Unix(1, 0)) {
		t.Errorf("read %+v", r)
	}
}

func BenchmarkPlanFor(b *testing.B) {
	columns := []string{"int", "small", "big", "float", "text", "status", "bytes", "yes", "at", "maybe"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scan.PlanFor[kinds](columns); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTargets(b *testing.B) {
	plan, err := scan.PlanFor[kinds]([]string{"int", "small", "big", "float", "text", "status", "bytes", "yes", "at", "maybe"})
	if err != nil {
		b.Fatal(err)
	}
	var k kinds
	var buf []any
	b.ReportAllocs()
	for b.Loop() {
		buf = plan.Targets(&k, buf)
	}
}
