package postgres_test

import (
	"context"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// What a look-up allocates does not grow with its columns.
// these twelve, and the texts read are values of the row's.
func TestLookingUpARowAllocatesLittle(t *testing.T) { //nolint:paralleltest // it counts allocations
	ctx := context.Background() // one that can end costs a watcher
	eng, err := engine.Open(ctx, dbtest.Postgres(t).Database(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Dispose()
	type item struct{ A, B, C, D, E, F int64 }
	look := engine.Text("SELECT $1::bigint AS a, 2::bigint AS b, 3::bigint AS c, 4::bigint AS d, 5::bigint AS e, 6::bigint AS f", int64(1))
	if n := alloctest.PerRun(100, func() {
		if got, err := engine.One[item](ctx, eng, look); err != nil || got != (item{1, 2, 3, 4, 5, 6}) {
			t.Fatal(got, err)
		}
	}); n > 9+alloctest.Lost {
		t.Errorf("%v allocations", n)
	}
}
