package orm_test

import (
	"context"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
)

func BenchmarkGetHit(b *testing.B) {
	ctx := context.Background()
	eng := must(engine.Open(ctx, "sqlite::memory:"))
	defer eng.Dispose()
	must(eng.Execute(ctx, engine.Text(schema[eng.Dialect().System][0])))
	s := orm.NewSession(eng, orm.WithoutExpireOnCommit())
	if err := s.Add(&Team{ID: 4711, Name: "red"}); err != nil {
		b.Fatal(err)
	}
	if err := s.Commit(ctx); err != nil {
		b.Fatal(err)
	}
	for name, get := range map[string]func(context.Context, orm.Handle, int64, ...orm.GetOption) (*Team, error){
		"get": orm.Get[Team, int64], "get one": orm.GetOne[Team, int64],
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := get(ctx, s, 4711); got == nil || err != nil {
					b.Fatal(got, err)
				}
			}
		})
	}
}

// BenchmarkFlush flushes 10,000 new objects on PostgreSQL, and takes them back.
func BenchmarkFlush(b *testing.B) {
	eng, err := engine.Open(b.Context(), dbtest.Postgres(b).Database(b).URL())
	if err != nil {
		b.Fatal(err)
	}
	defer eng.Dispose()
	if err := orm.CreateAll(b.Context(), eng, (*Line)(nil)); err != nil {
		b.Fatal(err)
	}
	s := orm.NewSession(eng)
	defer s.Close(b.Context())
	const n = 10_000
	b.ReportAllocs()
	for b.Loop() {
		for range n {
			if err := s.Add(&Line{Text: "some text"}); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/n, "ns/object")
}
