package bench

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// sessionWork is a session of this library.
type sessionWork struct{ session *orm.Session }

// sessionSubject is a session on an engine, with an empty chain.
func sessionSubject(eng *engine.Engine) OrmSubject {
	return OrmSubject{"sessionproxy, orm", "", false, nil, func(context.Context) OrmWork {
		return &sessionWork{orm.NewSession(eng)}
	}}
}

// looseWork is the same, and reads objects that are not the session's.
type looseWork struct{ sessionWork }

// looseSubject is a session that keeps none of what it loads.
func looseSubject(eng *engine.Engine) OrmSubject {
	return OrmSubject{"sessionproxy, orm, NoTrack", "", false, []string{"load"}, func(context.Context) OrmWork {
		return &looseWork{sessionWork{orm.NewSession(eng)}}
	}}
}

// Load implements [OrmWork].
func (w *looseWork) Load(ctx context.Context) ([]*Article, error) {
	return orm.From[Article]().NoTrack().All(ctx, w.session)
}

// Write implements [OrmWork].
func (w *looseWork) Write(ctx context.Context, u OrmUnit) error {
	gone := make([]*Article, len(u.Gone))
	for i, a := range u.Gone {
		own, err := orm.GetOne[Article](ctx, w.session, a.ID)
		if err != nil {
			return err
		}
		gone[i] = own
	}
	for _, a := range u.Changed {
		if _, err := orm.Merge(ctx, w.session, a); err != nil {
			return err
		}
	}
	return w.sessionWork.Write(ctx, OrmUnit{Added: u.Added, Gone: gone})
}

// Load implements [OrmWork].
func (w *sessionWork) Load(ctx context.Context) ([]*Article, error) {
	return orm.From[Article]().All(ctx, w.session)
}

// Get implements [OrmWork].
func (w *sessionWork) Get(ctx context.Context, id int64) (*Article, error) {
	return orm.Get[Article](ctx, w.session, id)
}

// Write implements [OrmWork]. The session knows by itself what was changed.
func (w *sessionWork) Write(ctx context.Context, u OrmUnit) error {
	for _, a := range u.Added {
		if err := w.session.Add(a); err != nil {
			return err
		}
	}
	for _, a := range u.Gone {
		if err := w.session.Delete(ctx, a); err != nil {
			return err
		}
	}
	return w.session.Commit(ctx)
}

// Close implements [OrmWork].
func (w *sessionWork) Close(ctx context.Context) error { return w.session.Close(ctx) }
