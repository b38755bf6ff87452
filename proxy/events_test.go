package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/event"
	"github.com/sessionproxy/sessionproxy/orm/inspect"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// logbook is a listener that writes down what it is told, and fails where it is
// asked to.
type logbook struct {
	lines []string
	fails map[string]error
}

func (l *logbook) note(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	l.lines = append(l.lines, line)
	return l.fails[line]
}

func (l *logbook) take() (out []string) {
	out, l.lines = l.lines, nil
	return out
}

func (l *logbook) listener() event.Listener[*orm.Session] {
	return event.Listener[*orm.Session]{
		AfterBegin: func(ctx context.Context, conn *engine.Conn) error {
			_, err := conn.Execute(ctx, engine.Text("SELECT 1"))
			return errors.Join(err, l.note("begun"))
		},
		BeforeFlush: func(context.Context, *orm.Session) error { return l.note("flush") },
		AfterFlush: func(_ context.Context, _ *orm.Session, done event.Flushed) error {
			return l.note("flushed %d %d %d", len(done.Inserted), len(done.Updated), len(done.Deleted))
		},
		BeforeCommit:   func(context.Context, *orm.Session) error { return l.note("commit") },
		AfterCommit:    func(context.Context) { _ = l.note("committed") },
		BeforeRollback: func(context.Context) { _ = l.note("roll back") },
		AfterRollback:  func(context.Context) { _ = l.note("rolled back") },
	}
}

func TestASessionTellsOfItsWork(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx, book := t.Context(), &logbook{fails: map[string]error{}}
		told := func(want ...string) {
			t.Helper()
			if got := book.take(); !slices.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		stop := p.Listen(book.listener())
		one, two := &Shelf{Name: "one"}, &Shelf{Name: "two", Boxes: []*Box{{Label: "a"}}}
		if err := p.AddAll(one, two); err != nil {
			t.Fatal(err)
		}
		ok(t, p.Flush(ctx))
		told("flush", "begun", "flushed 3 0 0")
		ok(t, p.Flush(ctx)) // nothing to send
		told()
		one.Name = "uno"
		ok(t, p.Delete(ctx, two))
		ok(t, p.Commit(ctx))
		told("commit", "flush", "flushed 0 1 2", "committed")
		ok(t, p.Commit(ctx)) // nor to commit
		told()
		must(t, proxy.Get[Shelf](ctx, p, 99))
		ok(t, p.Rollback(ctx))
		told("begun", "roll back", "rolled back")
		ok(t, p.Rollback(ctx))
		told()

		wrong := errors.New("no")
		for line, then := range map[string][]string{
			"begun":         {"commit", "flush", "begun"},
			"flush":         {"commit", "flush"},
			"commit":        {"commit"},
			"flushed 0 1 0": {"commit", "flush", "begun", "flushed 0 1 0"},
		} {
			book.fails = map[string]error{line: wrong}
			one.Name += "!"
			is(t, p.Commit(ctx).Await(ctx), wrong)
			told(then...)
			if failed := line == "flushed 0 1 0"; failed == p.IsActive() {
				t.Errorf("%s failed, and the session is active: %t", line, p.IsActive())
			}
			clear(book.fails)
			ok(t, p.Rollback(ctx))
			if got := book.take(); len(got) != 0 && !slices.Equal(got, []string{"roll back", "rolled back"}) {
				t.Errorf("%s: told %q", line, got)
			}
			must(t, proxy.GetOne[Shelf](ctx, p, one.ID))
			if one.Name != "uno" {
				t.Errorf("%s: %q", line, one.Name)
			}
			ok(t, p.Rollback(ctx))
			book.take()
		}
		ok(t, p.Reset(ctx))
		told()
		stop()
		if err := p.Add(&Shelf{Name: "three"}); err != nil {
			t.Fatal(err)
		}
		ok(t, p.Commit(ctx))
		told()
	})
}

// What a listener changes is sent: before a flush with it, after it by another.
func TestAListenerMayChangeObjects(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx, s := t.Context(), &Shelf{Name: "one"}
		var during *Box
		p.Listen(event.Listener[*orm.Session]{
			BeforeFlush: func(ctx context.Context, session *orm.Session) error {
				if n, err := orm.From[Box]().Count(ctx, session); n > 0 || err != nil {
					return err
				}
				if len(s.Boxes) == 0 {
					s.Boxes = append(s.Boxes, &Box{Label: "before"})
				}
				return nil
			},
			AfterFlush: func(_ context.Context, session *orm.Session, _ event.Flushed) error {
				if during == nil {
					during = &Box{Label: "after", ShelfID: s.ID}
					return session.Add(during)
				}
				return nil
			},
		})
		if err := p.Add(s); err != nil {
			t.Fatal(err)
		}
		ok(t, p.Commit(ctx))
		n, ok, err := engine.Scalar[int](ctx, eng, engine.Text("SELECT count(*) FROM box"))
		if n != 2 || !ok || err != nil {
			t.Errorf("%d boxes, %v", n, err)
		}
	})
}

func TestInspect(t *testing.T) {
	onEachKind(t, func(t *testing.T, _ *engine.Engine, p *proxy.Proxy) {
		ctx, a, b := t.Context(), &Box{Label: "a"}, &Box{Label: "b"}
		s := &Shelf{Name: "one", Boxes: []*Box{a}}
		look := func(obj any, want inspect.State) {
			t.Helper()
			got, err := p.Inspect(obj)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		}
		look(s, inspect.State{Status: inspect.Transient})
		look(&Shelf{ID: 7}, inspect.State{Status: inspect.Detached, Key: []any{int64(7)}})
		if err := p.Add(s); err != nil {
			t.Fatal(err)
		}
		look(s, inspect.State{Status: inspect.Pending})
		ok(t, p.Commit(ctx))
		key := []any{s.ID}
		look(s, inspect.State{Status: inspect.Persistent, Key: key})
		if all := slices.Collect(p.All()); !slices.Contains(all, any(s)) || !slices.Contains(all, any(a)) || len(all) != 2 {
			t.Errorf("%v", all)
		}
		s.Name, s.Boxes = "two", []*Box{a, b}
		look(s, inspect.State{Status: inspect.Persistent, Key: key, Changes: []inspect.Change{
			{Field: "Name", From: "one", To: "two"}, {Field: "Boxes", From: []*Box{a}, To: []*Box{a, b}},
		}})
		ok(t, p.Flush(ctx))
		look(s, inspect.State{Status: inspect.Persistent, Key: key})
		if err := p.Expire(s); err != nil {
			t.Fatal(err)
		}
		look(s, inspect.State{Status: inspect.Persistent, Key: key, Expired: true})
		ok(t, p.Delete(ctx, b))
		look(b, inspect.State{Status: inspect.Persistent, Key: []any{b.ID}, Expired: true, ToDelete: true})
		ok(t, p.Flush(ctx))
		look(b, inspect.State{Status: inspect.Deleted, Key: []any{b.ID}})
		if slices.Contains(slices.Collect(p.All()), any(b)) {
			t.Error("what is deleted is in the session")
		}
		ok(t, p.Commit(ctx))
		look(b, inspect.State{Status: inspect.Detached, Key: []any{b.ID}})
		_, err := p.Inspect("no entity")
		is(t, err, orm.ErrNotEntity)

		p.Info()["user"] = "ann"
		ok(t, p.Close(ctx))
		if p.Info()["user"] != "ann" || len(slices.Collect(p.All())) != 0 {
			t.Error("closing takes the user's values, or leaves objects")
		}
	})
}
