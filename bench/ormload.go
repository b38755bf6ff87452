package bench

import (
	"context"
	"fmt"
	"runtime"
	"testing"
)

// An ormLoad is an operation on some objects.
type ormLoad struct {
	name    string
	rows    int // in the table before
	objects int // that it handles
	reads   bool
	// prepare returns the operation on that many objects, ready to be measured,
	// on a work.
	prepare func(ctx context.Context, w OrmWork, objects int) (run func() error, err error)
}

// of returns the operation on a share of its objects, for tests.
func (l ormLoad) of(share int) ormLoad {
	l.rows /= share
	l.objects /= share
	return l
}

// OrmObjects is how many objects the large operations handle.
const OrmObjects = 10_000

const (
	ormMixed  = 1_000
	ormLookup = 1_000
)

var ormLoads = []ormLoad{
	{name: "orm: insert 10,000", objects: OrmObjects, prepare: prepareInsert},
	{name: "orm: update 10,000", rows: OrmObjects, objects: OrmObjects, prepare: prepareUpdate},
	{name: "orm: 500 inserts, 400 updates, 100 deletes", rows: ormMixed / 2, objects: ormMixed, prepare: prepareMixed},
	{name: "orm: load 10,000", rows: OrmObjects, objects: OrmObjects, reads: true, prepare: prepareLoad},
	{name: "orm: get 1,000 by key, from the database", rows: ormLookup, objects: ormLookup, reads: true, prepare: prepareGet},
}

func prepareInsert(ctx context.Context, w OrmWork, objects int) (func() error, error) {
	added := newArticles(objects)
	return func() error { return w.Write(ctx, OrmUnit{Added: added}) }, nil
}

func prepareUpdate(ctx context.Context, w OrmWork, _ int) (func() error, error) {
	changed, err := w.Load(ctx)
	alter(changed)
	return func() error { return w.Write(ctx, OrmUnit{Changed: changed}) }, err
}

func prepareMixed(ctx context.Context, w OrmWork, objects int) (func() error, error) {
	loaded, err := w.Load(ctx)
	if err != nil {
		return nil, err
	}
	u := OrmUnit{Added: newArticles(objects / 2), Changed: loaded[:objects*2/5], Gone: loaded[objects*2/5:]}
	alter(u.Changed)
	return func() error { return w.Write(ctx, u) }, nil
}

func prepareLoad(ctx context.Context, w OrmWork, objects int) (func() error, error) {
	return func() error {
		articles, err := w.Load(ctx)
		if err == nil && len(articles) != objects {
			return fmt.Errorf("bench: %d articles were loaded, want %d", len(articles), objects)
		}
		return err
	}, nil
}

func prepareGet(ctx context.Context, w OrmWork, objects int) (func() error, error) {
	return func() error {
		for id := range int64(objects) {
			if a, err := w.Get(ctx, id+1); err != nil || a == nil || a.ID != id+1 {
				return fmt.Errorf("bench: get %d: %+v, %w", id+1, a, err)
			}
		}
		return nil
	}, nil
}

// Tables returns the tables of all operations. Times are those of one object.
func (o OrmBackend) Tables() []Table {
	tables := make([]Table, 0, len(ormLoads)+1)
	for _, load := range ormLoads {
		t := Table{Name: load.name, Per: load.objects}
		for _, s := range o.Subjects {
			if !s.does(load.name) {
				continue
			}
			if s.Hand {
				t.Hand++
			}
			t.Cases = append(t.Cases, Case{s.called(load), "", func(b *testing.B) { o.run(b, s, load) }})
		}
		tables = append(tables, t)
	}
	return append(tables, o.hits())
}

// hits is the table of objects that are in memory: a map of Go, and a session.
func (o OrmBackend) hits() Table {
	return Table{Name: "orm: get 1,000 by key, in memory", Per: ormLookup, Cases: []Case{
		{"a map of Go", "", func(b *testing.B) {
			byKey := map[int64]*Article{}
			o.hit(b, o.Subjects[0], func(a *Article) { byKey[a.ID] = a }, func(_ OrmWork, id int64) (*Article, error) {
				return byKey[id], nil
			})
		}},
		{"sessionproxy, orm", "", func(b *testing.B) {
			o.hit(b, sessionSubject(o.engine), func(*Article) {}, func(w OrmWork, id int64) (*Article, error) {
				return w.Get(b.Context(), id)
			})
		}},
	}}
}

// hit measures how an article is got that was loaded.
func (o OrmBackend) hit(b *testing.B, s OrmSubject, note func(a *Article), get func(w OrmWork, id int64) (*Article, error)) {
	b.Helper()
	if err := o.Reset(b.Context(), ormLookup); err != nil {
		b.Fatal(err)
	}
	err := o.within(b.Context(), s, func(w OrmWork) error {
		loaded, err := w.Load(b.Context())
		for _, a := range loaded {
			note(a)
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, want := range loaded {
				if got, err := get(w, want.ID); got != want {
					b.Fatal(got, err)
				}
			}
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// run measures a subject under a load.
func (o OrmBackend) run(b *testing.B, s OrmSubject, load ormLoad) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		err := o.once(b.Context(), s, load, b.StartTimer, b.StopTimer)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// once performs a load between start and stop. All begin with a heap without
// garbage, so that nobody pays for another's.
func (o OrmBackend) once(ctx context.Context, s OrmSubject, load ormLoad, start, stop func()) error {
	if err := o.Reset(ctx, load.rows); err != nil {
		return err
	}
	return o.within(ctx, s, func(w OrmWork) error {
		run, err := load.prepare(ctx, w, load.objects)
		if err != nil {
			return err
		}
		runtime.GC()
		start()
		err = run()
		stop()
		return err
	})
}
