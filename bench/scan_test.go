package bench

import (
	"context"
	"reflect"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestEverySubjectReadsTheSame keeps the comparison honest: what reads less is
// no faster.
func TestEverySubjectReadsTheSame(t *testing.T) {
	t.Parallel()
	for _, open := range []func(ctx context.Context) (ScanBackend, error){
		ScanSQLite, ScanFakePGX, func(ctx context.Context) (ScanBackend, error) {
			return scanPostgres(ctx, dbtest.Postgres(t).Database(t), func() error { return nil })
		},
	} {
		backend, err := open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range backend.Subjects {
			items, err := s.All(t.Context())
			if err != nil || len(items) != ScanRows {
				t.Errorf("%s on %s: %d items, %v", s.Name, backend.Name, len(items), err)
				continue
			}
			for i, it := range items {
				checkItem(t, s.Name+" on "+backend.Name, it, int64(i+1))
			}
			it, err := s.One(t.Context(), scanID)
			if err != nil {
				t.Errorf("%s on %s: %v", s.Name, backend.Name, err)
			}
			checkItem(t, s.Name+" on "+backend.Name, it, scanID)
		}
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	}
}

func checkItem(t *testing.T, name string, it ScanItem, id int64) {
	t.Helper()
	it.CreatedAt = it.CreatedAt.UTC()
	if want := scanItem(id); !reflect.DeepEqual(it, want) {
		t.Fatalf("%s: read %+v, want %+v", name, it, want)
	}
}

func BenchmarkScan(b *testing.B) {
	for _, open := range []func(ctx context.Context) (ScanBackend, error){ScanSQLite, ScanFakePGX} {
		backend, err := open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(backend.Name, func(b *testing.B) { each(b, backend.Tables()) })
		if err := backend.Close(); err != nil {
			b.Error(err)
		}
	}
}
