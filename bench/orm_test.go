package bench

import (
	"context"
	"reflect"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestEverySubjectKeepsTheSame keeps the comparison honest: after each load the
// table holds what it should, and every object knows its key.
func TestEverySubjectKeepsTheSame(t *testing.T) {
	t.Parallel()
	for _, open := range []func(ctx context.Context) (OrmBackend, error){
		OrmSQLite, func(ctx context.Context) (OrmBackend, error) {
			return ormPostgres(ctx, dbtest.Postgres(t).Database(t), func() error { return nil })
		},
	} {
		backend, err := open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range backend.Subjects {
			if err := keeps(t.Context(), t, backend, s); err != nil {
				t.Errorf("%s on %s: %v", s.Name, backend.Name, err)
			}
		}
		for _, table := range backend.Tables() {
			if len(table.Cases) < 2 {
				t.Errorf("%s on %s compares nothing", table.Name, backend.Name)
			}
		}
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	}
}

// keeps inserts with one work, changes what another has loaded, and looks at
// what a third reads.
func keeps(ctx context.Context, t *testing.T, b OrmBackend, s OrmSubject) error {
	t.Helper()
	const n = 300 // several statements for who sends 100 rows with each
	added := newArticles(n)
	if err := b.Empty(ctx); err != nil {
		return err
	}
	if err := b.within(ctx, s, func(w OrmWork) error { return w.Write(ctx, OrmUnit{Added: added}) }); err != nil {
		return err
	}
	want := map[int64]*Article{}
	for i, a := range newArticles(n) {
		a.ID = added[i].ID
		want[a.ID] = a
	}
	agree(ctx, t, b, s, want)
	err := b.within(ctx, s, func(w OrmWork) error {
		loaded, err := w.Load(ctx)
		if err != nil {
			return err
		}
		u := OrmUnit{Added: newArticles(n / 2), Changed: loaded[:n/2], Gone: loaded[n/2 : n/2+10]}
		alter(u.Changed)
		if err := w.Write(ctx, u); err != nil {
			return err
		}
		for _, a := range u.Changed {
			alter([]*Article{want[a.ID]})
		}
		for _, a := range u.Gone {
			delete(want, a.ID)
		}
		for i, a := range newArticles(n / 2) {
			a.ID = u.Added[i].ID
			want[a.ID] = a
		}
		return nil
	})
	agree(ctx, t, b, s, want)
	return err
}

// agree compares what a subject reads, and the way of the first one, with what
// should be there.
func agree(ctx context.Context, t *testing.T, b OrmBackend, s OrmSubject, want map[int64]*Article) {
	t.Helper()
	for _, reader := range []OrmSubject{s, b.Subjects[0]} {
		err := b.within(ctx, reader, func(w OrmWork) error {
			loaded, err := w.Load(ctx)
			if len(loaded) != len(want) {
				t.Errorf("%s on %s: %s reads %d articles, want %d", s.Name, b.Name, reader.Name, len(loaded), len(want))
			}
			for _, a := range loaded {
				same(t, s.Name+" on "+b.Name+", read by "+reader.Name, *a, want[a.ID])
			}
			for id := range want {
				a, err := w.Get(ctx, id)
				if err != nil {
					return err
				}
				same(t, s.Name+" on "+b.Name+", got by "+reader.Name, *a, want[id])
				break
			}
			return err
		})
		if err != nil {
			t.Errorf("%s on %s: %v", s.Name, b.Name, err)
		}
	}
}

func same(t *testing.T, name string, a Article, want *Article) {
	t.Helper()
	a.CreatedAt = a.CreatedAt.UTC()
	if want == nil || !reflect.DeepEqual(a, *want) {
		t.Fatalf("%s: %+v, want %+v", name, a, want)
	}
}

// TestEveryLoadRuns performs each measured operation once for each subject, on
// a twentieth of its objects.
func TestEveryLoadRuns(t *testing.T) {
	t.Parallel()
	backend, err := OrmSQLite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range ormLoads {
		for _, s := range backend.Subjects {
			calls := ""
			err := backend.once(t.Context(), s, load.of(20), func() { calls += "start " }, func() { calls += "stop" })
			if err != nil || calls != "start stop" {
				t.Errorf("%s, %s: %q, %v", s.Name, load.name, calls, err)
			}
		}
	}
	if err := backend.Close(); err != nil {
		t.Error(err)
	}
}

func TestGrowthMeasuresEverything(t *testing.T) {
	t.Parallel()
	backend, err := OrmSQLite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g, err := backend.Growth(t.Context(), 100)
	if err != nil || g.Add <= 0 || g.Flush <= 0 || g.Load <= 0 || g.Hit <= 0 || g.Miss <= 0 {
		t.Errorf("%+v, %v", g, err)
	}
	if err := backend.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkOrm(b *testing.B) {
	for _, open := range []func(ctx context.Context) (OrmBackend, error){OrmSQLite, func(ctx context.Context) (OrmBackend, error) {
		return ormPostgres(ctx, dbtest.Postgres(b).Database(b), func() error { return nil })
	}} {
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
