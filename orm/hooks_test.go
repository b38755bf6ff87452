package orm_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Asker does in its hooks what a test gives it.
type Asker struct {
	ID int64
	N  int
	// Do are what its hooks do, by their names.
	Do map[string]func(ctx context.Context, s *orm.Session) error `orm:"-"`
}

func (a *Asker) hook(ctx context.Context, s *orm.Session, name string) error {
	if do := a.Do[name]; do != nil {
		return do(ctx, s)
	}
	return nil
}

func (a *Asker) BeforeInsert(ctx context.Context, s *orm.Session) error {
	return a.hook(ctx, s, "before insert")
}

func (a *Asker) AfterInsert(ctx context.Context, s *orm.Session) error {
	return a.hook(ctx, s, "after insert")
}

func (a *Asker) BeforeUpdate(ctx context.Context, s *orm.Session) error {
	return a.hook(ctx, s, "before update")
}

func (a *Asker) AfterUpdate(ctx context.Context, s *orm.Session) error {
	return a.hook(ctx, s, "after update")
}

func (a *Asker) BeforeDelete(ctx context.Context, s *orm.Session) error {
	return a.hook(ctx, s, "before delete")
}

func (a *Asker) AfterDelete(ctx context.Context, s *orm.Session) error {
	return a.hook(ctx, s, "after delete")
}

// hookNames are all hooks of a flush, in the order in which askThrough calls
// them.
var hookNames = []string{"before insert", "after insert", "before update", "after update", "before delete", "after delete"}

// askThrough makes a hook of an object do something, by inserting, updating and
// deleting it with send, and returns the first error.
func askThrough(ctx context.Context, s *orm.Session, hook string, do func(ctx context.Context, s *orm.Session) error, send func(context.Context) error) error {
	a := &Asker{N: 1, Do: map[string]func(context.Context, *orm.Session) error{hook: do}}
	if err := errors.Join(s.Add(a), send(ctx)); err != nil {
		return err
	}
	a.N = 2
	if err := send(ctx); err != nil {
		return err
	}
	if err := s.Delete(ctx, a); err != nil {
		return err
	}
	return send(ctx)
}

func TestAHookReads(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Asker)(nil)))
		s := db.session(t)
		other := &Asker{N: 100}
		check(t, s.Add(other), s.Commit(t.Context()))
		for name, read := range map[string]func(ctx context.Context, s *orm.Session) (int64, error){
			"count": func(ctx context.Context, s *orm.Session) (int64, error) {
				return orm.From[Asker]().Where("n = 100").Count(ctx, s)
			},
			"all": func(ctx context.Context, s *orm.Session) (int64, error) {
				all, err := orm.From[Asker]().Where("n = 100").All(ctx, s)
				return int64(len(all)), err
			},
			"each": func(ctx context.Context, s *orm.Session) (n int64, err error) {
				for _, e := range orm.From[Asker]().Where("n = 100").Each(ctx, s) {
					n, err = n+1, errors.Join(err, e)
				}
				return n, err
			},
			"get": func(ctx context.Context, s *orm.Session) (int64, error) {
				got, err := orm.GetOne[Asker](ctx, s, other.ID, orm.PopulateExisting())
				return int64(got.N / 100), err
			},
			"refresh": func(ctx context.Context, s *orm.Session) (int64, error) {
				return 1, s.Refresh(ctx, must(orm.GetOne[Asker](ctx, s, other.ID)))
			},
			"execute": func(ctx context.Context, s *orm.Session) (int64, error) {
				_, err := s.Execute(ctx, engine.Text("SELECT 1"))
				return 1, err
			},
			"scalar": func(ctx context.Context, s *orm.Session) (int64, error) {
				n, _, err := orm.Scalar[int64](ctx, s, engine.Text("SELECT count(*) FROM asker WHERE n = 100"))
				return n, err
			},
			"merge": func(ctx context.Context, s *orm.Session) (int64, error) {
				got, err := orm.Merge(ctx, s, &Asker{ID: other.ID, N: 100})
				return int64(got.N / 100), err
			},
		} {
			for _, hook := range hookNames {
				called := 0
				err := askThrough(t.Context(), s, hook, func(ctx context.Context, s *orm.Session) error {
					called++
					n, err := read(ctx, s)
					if err != nil || n != 1 {
						t.Errorf("%s, %s: %d, %v", hook, name, n, err)
					}
					return err
				}, s.Commit)
				if err != nil || called != 1 {
					t.Errorf("%s, %s: %d calls, %v", hook, name, called, err)
				}
			}
		}
		if n := db.count(t, "SELECT count(*) FROM asker"); n != 1 {
			t.Errorf("%d rows are left, want 1", n)
		}
	})
}

func TestAHookCanNotFlush(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Asker)(nil)))
		for name, flush := range map[string]func(ctx context.Context, s *orm.Session) error{
			"flush":  func(ctx context.Context, s *orm.Session) error { return s.Flush(ctx) },
			"commit": func(ctx context.Context, s *orm.Session) error { return s.Commit(ctx) },
			"begin nested": func(ctx context.Context, s *orm.Session) error {
				_, err := s.BeginNested(ctx)
				return err
			},
		} {
			for _, hook := range hookNames {
				s := db.session(t)
				err := askThrough(t.Context(), s, hook, flush, s.Commit)
				if !errors.Is(err, orm.ErrFlush) {
					t.Errorf("%s in %s: %v", name, hook, err)
				}
				check(t, s.Rollback(t.Context()))
				err = askThrough(t.Context(), s, hook, func(ctx context.Context, s *orm.Session) error {
					if err := flush(ctx, s); !errors.Is(err, orm.ErrFlush) {
						t.Errorf("%s in %s, which takes no notice: %v", name, hook, err)
					}
					return nil
				}, s.Commit)
				check(t, err, s.Close(t.Context()))
			}
		}
	})
}

// A hook that ends the transaction makes an error of the flush and the commit:
// what they were to keep is gone.
func TestAHookEndsTheTransaction(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Asker)(nil)))
		for name, end := range map[string]func(ctx context.Context, s *orm.Session) error{
			"rollback":   func(ctx context.Context, s *orm.Session) error { return s.Rollback(ctx) },
			"close":      func(ctx context.Context, s *orm.Session) error { return s.Close(ctx) },
			"reset":      func(ctx context.Context, s *orm.Session) error { return s.Reset(ctx) },
			"invalidate": func(ctx context.Context, s *orm.Session) error { return s.Invalidate(ctx) },
		} {
			for _, hook := range hookNames {
				for how, send := range map[string]func(s *orm.Session) func(context.Context) error{
					"commit": func(s *orm.Session) func(context.Context) error { return s.Commit },
					"flush":  func(s *orm.Session) func(context.Context) error { return s.Flush },
				} {
					s := db.session(t)
					err := askThrough(t.Context(), s, hook, end, send(s))
					if !errors.Is(err, orm.ErrFlush) {
						t.Errorf("%s in %s of a %s: %v", name, hook, how, err)
					}
					if s.InTransaction() || !s.IsActive() {
						t.Errorf("%s in %s of a %s: in a transaction %t, active %t", name, hook, how, s.InTransaction(), s.IsActive())
					}
					check(t, s.Add(&Asker{N: 7}), s.Commit(t.Context()), s.Close(t.Context())) // it can be used again
				}
			}
		}
		if n := db.count(t, "SELECT count(*) FROM asker WHERE n = 7"); n != 4*6*2 {
			t.Errorf("%d of 48 rows", n)
		}
	})
}

func TestAHookRollsASavepointBack(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Asker)(nil)))
		for _, hook := range hookNames {
			s := db.session(t)
			check(t, s.Add(&Asker{N: 8}))
			n := must(s.BeginNested(t.Context()))
			err := askThrough(t.Context(), s, hook, func(ctx context.Context, _ *orm.Session) error { return n.Rollback(ctx) }, s.Flush)
			if !errors.Is(err, orm.ErrFlush) || n.IsActive() || !s.IsActive() {
				t.Errorf("in %s: %v, the savepoint is active: %t, the session: %t", hook, err, n.IsActive(), s.IsActive())
			}
			check(t, s.Commit(t.Context()), s.Close(t.Context()))
		}
		if n := db.count(t, "SELECT count(*) FROM asker"); n != len(hookNames) || n != db.count(t, "SELECT count(*) FROM asker WHERE n = 8") {
			t.Errorf("%d rows", n)
		}
	})
}

// What a hook that panics would have refused is not committed by whoever
// recovers.
func TestAHookPanics(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Asker)(nil)))
		s := db.session(t)
		for _, hook := range hookNames {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s did not panic", hook)
					}
				}()
				_ = askThrough(t.Context(), s, hook, func(context.Context, *orm.Session) error { panic("no") }, s.Flush)
			}()
			after := hook[0] == 'a'
			if s.IsActive() == after {
				t.Errorf("after a panic in %s the session is active: %t", hook, s.IsActive())
			}
			if after {
				if err := s.Commit(t.Context()); !errors.Is(err, orm.ErrPendingRollback) {
					t.Errorf("commit after a panic in %s: %v", hook, err)
				}
			}
			check(t, s.Close(t.Context()))
		}
		if n := db.count(t, "SELECT count(*) FROM asker"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// A statement that changes rows expires the session's objects, and leaves what
// was not sent of their changes to be sent.
func TestABulkUpdateInAHookKeepsTheChange(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Asker)(nil)))
		s := db.session(t)
		a := &Asker{N: 1, Do: map[string]func(context.Context, *orm.Session) error{
			"before update": func(ctx context.Context, s *orm.Session) error {
				_, err := orm.From[Asker]().Where("n > ?", 50).Update(ctx, s, "n = n + 1")
				return err
			},
		}}
		check(t, s.AddAll(a, &Asker{N: 60}), s.Commit(t.Context()))
		a.N = 2
		check(t, s.Commit(t.Context()))
		if db.count(t, "SELECT n FROM asker WHERE id = ?", a.ID) != 2 || db.count(t, "SELECT count(*) FROM asker WHERE n = 61") != 1 {
			t.Error("a change was lost")
		}
		a.N = 3
		err := s.NoAutoflush(func() error {
			_, err := orm.From[Asker]().Where("n > ?", 50).Update(t.Context(), s, "n = n + 1")
			return err
		})
		check(t, err, s.Commit(t.Context()))
		if n := db.count(t, "SELECT n FROM asker WHERE id = ?", a.ID); n != 3 {
			t.Errorf("a change without autoflush: %d, want 3", n)
		}
	})
}
