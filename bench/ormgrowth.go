package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/sessionproxy/sessionproxy/orm"
)

// OrmSizes are the numbers of objects in one session between which the time for
// each of them should not grow.
var OrmSizes = []int{1_000, 10_000, 100_000}

// An OrmGrowth is what one object costs in a session of many.
type OrmGrowth struct {
	// Add is the time to add an object, and to insert it with the next flush.
	Add time.Duration
	// Flush is the time for an object in a flush that finds no change.
	Flush time.Duration
	// Load is the time to load an object.
	Load time.Duration
	// Hit is the time to get an object that the session has, by its key.
	Hit time.Duration
	// Miss is the time to get one more row.
	Miss time.Duration
	// Bytes is the memory that an object loaded into a session takes, with
	// itself.
	Bytes float64
	// Bare is what the same object takes without a session.
	Bare float64
}

// Growth measures a session of n objects.
func (o OrmBackend) Growth(ctx context.Context, n int) (g OrmGrowth, err error) {
	if err := o.Empty(ctx); err != nil {
		return g, err
	}
	if err := o.growWritten(ctx, n, &g); err != nil {
		return g, fmt.Errorf("bench: writing: %w", err)
	}
	if err := o.Analyze(ctx); err != nil {
		return g, err
	}
	if err := o.growRead(ctx, n, &g); err != nil {
		return g, fmt.Errorf("bench: reading: %w", err)
	}
	return g, nil
}

// per times one of n equal steps. The heap it begins with has no garbage.
func per(n int, do func() error) (time.Duration, error) {
	runtime.GC()
	began := time.Now()
	err := do()
	return time.Since(began) / time.Duration(n), err
}

// growWritten inserts n articles in one session, and one more for the miss.
func (o OrmBackend) growWritten(ctx context.Context, n int, g *OrmGrowth) error {
	s := orm.NewSession(o.engine)
	defer s.Close(ctx)
	added := newArticles(n + 1)
	var err error
	g.Add, err = per(n, func() error {
		for _, a := range added {
			if err := s.Add(a); err != nil {
				return err
			}
		}
		return s.Flush(ctx)
	})
	if err != nil {
		return err
	}
	if g.Flush, err = per(n, func() error { return s.Flush(ctx) }); err != nil {
		return err
	}
	return s.Commit(ctx)
}

// growRead loads n articles into a session, and looks at what that takes.
func (o OrmBackend) growRead(ctx context.Context, n int, g *OrmGrowth) (err error) {
	if g.Bare, err = o.held(ctx, o.Subjects[0], n); err != nil {
		return err
	}
	if g.Bytes, err = o.held(ctx, sessionSubject(o.engine), n); err != nil {
		return err
	}
	s := orm.NewSession(o.engine)
	defer s.Close(ctx)
	var loaded []*Article
	g.Load, err = per(n, func() error {
		loaded, err = orm.From[Article]().OrderBy("id").Limit(n).All(ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	last := loaded[n-1].ID
	g.Hit, err = per(n, func() error {
		for _, a := range loaded {
			if got, err := orm.Get[Article](ctx, s, a.ID); got != a {
				return fmt.Errorf("get %d: %+v, %w", a.ID, got, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.Miss, err = per(1, func() error {
		_, err := orm.GetOne[Article](ctx, s, last+1)
		return err
	})
	return err
}

// held returns the memory that each of n articles takes that a subject has
// loaded.
func (o OrmBackend) held(ctx context.Context, s OrmSubject, n int) (bytes float64, err error) {
	err = o.within(ctx, s, func(w OrmWork) error {
		before := live()
		loaded, err := w.Load(ctx)
		bytes = (live() - before) / float64(n)
		runtime.KeepAlive(loaded)
		return err
	})
	return bytes, err
}

// live returns the bytes on the heap that are in use.
func live() float64 {
	runtime.GC()
	runtime.GC() // what pools kept over the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
