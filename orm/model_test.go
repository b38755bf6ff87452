package orm_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// model is what the rows of node should be: committed, and in the transaction.
type model struct {
	committed, now map[int64]int64 // key → parent
}

func (m *model) rollback() { m.now = maps.Clone(m.committed) }
func (m *model) commit()   { m.committed = maps.Clone(m.now) }

// TestRandomUnitsAgreeWithAModel runs random sequences of session operations
// against a naive model of the table: after each commit and rollback the
// database and the session's objects agree with it.
func TestRandomUnitsAgreeWithAModel(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite:"+t.TempDir()+"/model.db")
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		if _, err := db.Execute(ctx, engine.Text("DELETE FROM node")); err != nil {
			t.Fatal(err)
		}
		s := orm.NewSession(db.Engine)
		defer s.Close(ctx)
		m := &model{committed: map[int64]int64{}, now: map[int64]int64{}}
		held := map[int64]*Node{} // the objects of m.now
		for step := range rapid.IntRange(1, 25).Draw(t, "steps") {
			id := rapid.Int64Range(1, 6).Draw(t, fmt.Sprint("key ", step))
			switch op := rapid.SampledFrom([]string{"add", "point", "delete", "flush", "expire", "get", "commit", "rollback"}).Draw(t, fmt.Sprint("op ", step)); op {
			case "add":
				if _, there := m.now[id]; there {
					continue
				}
				n := &Node{ID: id}
				expect(t, s.Add(n))
				m.now[id], held[id] = 0, n
			case "point": // at itself, which no order of statements breaks
				if n := held[id]; n != nil {
					n.Parent = &n.ID
					m.now[id] = id
				}
			case "delete":
				n := held[id]
				if n == nil {
					continue
				}
				expect(t, s.Flush(ctx)) // a pending object can't be deleted
				expect(t, s.Delete(ctx, n))
				expect(t, s.Flush(ctx))
				delete(m.now, id)
				delete(held, id)
			case "flush":
				expect(t, s.Flush(ctx))
			case "expire":
				if n := held[id]; n != nil {
					expect(t, s.Flush(ctx))
					expect(t, s.Expire(n))
				}
			case "get":
				got, err := orm.Get[Node](ctx, s, id)
				expect(t, err)
				if got != held[id] {
					t.Fatalf("the object of %d is %p, want %p", id, got, held[id])
				}
			case "commit":
				expect(t, s.Commit(ctx))
				m.commit()
				agree(ctx, t, db, s, m.committed, held)
			case "rollback":
				expect(t, s.Rollback(ctx))
				m.rollback()
				for key := range held {
					if _, there := m.now[key]; !there {
						delete(held, key)
					}
				}
				for key := range m.now { // what was deleted is back, as the object it was or another
					n, err := orm.Get[Node](ctx, s, key)
					expect(t, err)
					held[key] = n
				}
				agree(ctx, t, db, s, m.committed, held)
			}
		}
		expect(t, s.Close(ctx))
		if got := rows(ctx, t, db); !maps.Equal(got, m.committed) {
			t.Fatalf("after the end the rows are %v, want %v", got, m.committed)
		}
	})
}

// agree compares the database and the objects with the model.
func agree(ctx context.Context, t *rapid.T, db database, s *orm.Session, want map[int64]int64, held map[int64]*Node) {
	t.Helper()
	for id, parent := range want {
		n, err := orm.Get[Node](ctx, s, id)
		expect(t, err)
		if n == nil || n != held[id] || pointed(n) != parent {
			t.Fatalf("the object of %d is %+v, want %p with the parent %d", id, n, held[id], parent)
		}
	}
	expect(t, s.Commit(ctx)) // lets go of SQLite's one writer
	if got := rows(ctx, t, db); !maps.Equal(got, want) {
		t.Fatalf("the rows are %v, want %v", got, want)
	}
}

func pointed(n *Node) int64 {
	if n.Parent == nil {
		return 0
	}
	return *n.Parent
}

// rows reads the table without a session.
func rows(ctx context.Context, t *rapid.T, db database) map[int64]int64 {
	t.Helper()
	all, err := engine.All[Node](ctx, db.Engine, engine.Text("SELECT id, parent FROM node"))
	expect(t, err)
	out := map[int64]int64{}
	for _, n := range all {
		out[n.ID] = pointed(&n)
	}
	return out
}

func expect(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
