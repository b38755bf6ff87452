package orm_test

import (
	"context"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

func BenchmarkGetHit(b *testing.B) {
	ctx := context.Background()
	eng := must(engine.Open(ctx, "sqlite::memory:"))
	defer eng.Dispose() //nolint:errcheck // it is gone with the benchmark
	must(eng.Execute(ctx, engine.Text(schema[eng.Dialect().System][0])))
	s := orm.NewSession(eng, orm.WithoutExpireOnCommit())
	if err := s.Add(&Team{ID: 4711, Name: "red"}); err != nil {
		b.Fatal(err)
	}
	if err := s.Commit(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := orm.Get[Team](ctx, s, int64(4711)); got == nil || err != nil {
			b.Fatal(got, err)
		}
	}
}
