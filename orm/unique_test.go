package orm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/orm"
)

// Berth has unique values of several types.
type Berth struct {
	ID      int64
	Name    string    `orm:",unique,type:VARCHAR(12)"`
	Mark    *string   `orm:",unique,type:VARCHAR(12)"`
	Spot    int       `orm:",unique"`
	Since   time.Time `orm:",unique"`
	Tag     [16]byte  `orm:",unique"`
	Dock    string    `orm:",unique:place,type:VARCHAR(12)"`
	Place   int16     `orm:",unique:place"`
	Next    *Berth    `orm:"rel:belongs-to,fk:next_id"`
	NextID  *int64
	Version int `orm:",version"`
}

func berths(t *testing.T, db database, n int) (*orm.Session, []*Berth) {
	t.Helper()
	check(t, orm.DropAll(t.Context(), db, (*Berth)(nil)), orm.CreateAll(t.Context(), db, (*Berth)(nil)))
	s := db.session(t, orm.WithoutExpireOnCommit())
	var out []*Berth
	for i := range n {
		name := strings.Repeat(string(rune('a'+i)), 3)
		b := &Berth{
			Name: name, Mark: &name, Spot: i, Since: time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC), Tag: [16]byte{byte(i)},
			Dock: "north", Place: int16(i),
		}
		check(t, s.Add(b))
		out = append(out, b)
	}
	check(t, s.Commit(t.Context()))
	db.rec.take()
	return s, out
}

// Unique values go round in a circle, along a chain, or both, in one flush.
func TestUniqueValuesAreExchanged(t *testing.T) {
	values := map[string]func(dst *Berth, src Berth){
		"text":            func(dst *Berth, src Berth) { dst.Name = src.Name },
		"in another case": func(dst *Berth, src Berth) { dst.Name = strings.ToUpper(src.Name) },
		"NULL":            func(dst *Berth, src Berth) { dst.Mark = src.Mark },
		"number":          func(dst *Berth, src Berth) { dst.Spot = src.Spot },
		"time":            func(dst *Berth, src Berth) { dst.Since = src.Since },
		"bytes":           func(dst *Berth, src Berth) { dst.Tag = src.Tag },
		"a group":         func(dst *Berth, src Berth) { dst.Place = src.Place },
		"everything": func(dst *Berth, src Berth) {
			dst.Name, dst.Mark, dst.Spot, dst.Since, dst.Tag, dst.Place = src.Name, src.Mark, src.Spot, src.Since, src.Tag, src.Place
		},
	}
	onEach(t, func(t *testing.T, db database) {
		for name, give := range values {
			for want, takes := range map[string][]int{ // whose value each takes; -1: a new one, -2: its own
				"an exchange of two":       {1, 0, -2, -2},
				"a ring":                   {1, 2, 3, 0},
				"a ring the other way":     {3, 0, 1, 2},
				"two exchanges":            {1, 0, 3, 2},
				"a chain":                  {1, 2, 3, -1},
				"a chain to the end":       {-1, 0, 1, 2},
				"an exchange with a chain": {1, 0, -1, 2},
			} {
				s, all := berths(t, db, 4)
				var was []Berth
				for _, b := range all {
					was = append(was, *b)
				}
				fresh := "new"
				last := Berth{Name: "new", Mark: &fresh, Spot: 99, Since: was[0].Since.AddDate(1, 0, 0), Tag: [16]byte{99}, Place: 99}
				for i, from := range takes {
					switch {
					case from >= 0:
						give(all[i], was[from])
					case from == -1:
						give(all[i], last)
					}
				}
				if err := s.Commit(t.Context()); err != nil {
					t.Errorf("%s, %s: %v", name, want, err)
					check(t, s.Rollback(t.Context()), s.Close(t.Context()))
					continue
				}
				sent := len(slices.DeleteFunc(db.rec.take(), func(text string) bool { return text != "UPDATE berth" }))
				if strings.HasPrefix(want, "a chain") && sent != 4 {
					t.Errorf("%s, %s: %d statements, and 4 will do", name, want, sent)
				}
				other := db.session(t)
				for i, b := range must(orm.From[Berth]().OrderBy("id").All(t.Context(), other)) {
					if b.Name != all[i].Name || *b.Mark != *all[i].Mark || b.Spot != all[i].Spot || !b.Since.Equal(all[i].Since) || b.Tag != all[i].Tag || b.Place != all[i].Place || b.Version != all[i].Version {
						t.Errorf("%s, %s: row %d is %+v, want %+v", name, want, i, b, all[i])
					}
				}
				check(t, other.Close(t.Context()), s.Close(t.Context()))
			}
		}
	})
}

// Hundreds of rows in rings of three sizes.
func TestManyUniqueValuesAreExchanged(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Team)(nil)))
		s := db.session(t, orm.WithoutExpireOnCommit())
		var all []*Team
		for i := range 400 {
			all = append(all, &Team{Name: fmt.Sprintf("team %03d", i)})
			check(t, s.Add(all[i]))
		}
		check(t, s.Commit(t.Context()))
		was := make([]string, len(all))
		for i, team := range all {
			was[i] = team.Name
		}
		for i, team := range all {
			switch {
			case i < 200:
				team.Name = was[i^1]
			case i < 300:
				team.Name = was[200+(i+1)%100]
			default:
				team.Name = was[300+(i+99)%100]
			}
		}
		check(t, s.Commit(t.Context()))
		for _, team := range must(orm.From[Team]().NoTrack().All(t.Context(), s)) {
			if want := must(orm.GetOne[Team](t.Context(), s, team.ID)).Name; team.Name != want {
				t.Fatalf("%d is %q, want %q", team.ID, team.Name, want)
			}
		}
	})
}

// What is added takes what another gives up, also if it refers to it, or the
// other to what is added.
func TestWhatIsAddedTakesAUniqueValue(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, all := berths(t, db, 2)
		fresh := *all[0]
		fresh.ID, fresh.Version, fresh.Mark = 0, 0, nil
		all[0].Name, all[0].Spot, all[0].Since, all[0].Tag, all[0].Place = "moved", 50, time.Unix(1e9, 0), [16]byte{50}, 50
		all[0].Next = &fresh // so that it is inserted first
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM berth a JOIN berth b ON a.next_id = b.id WHERE a.name = 'moved' AND b.name = 'aaa'"); n != 1 {
			t.Error("the value did not move on")
		}
		next := *all[1]
		next.ID, next.Version, next.Mark, next.Next = 0, 0, nil, all[1]
		all[1].Name, all[1].Spot, all[1].Since, all[1].Tag, all[1].Place = "gone", 51, time.Unix(2e9, 0), [16]byte{51}, 51
		check(t, s.Add(&next), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM berth WHERE name = 'bbb'"); n != 1 {
			t.Error("the value was not taken")
		}
	})
}

// Ticket's key is given by the program.
type Ticket struct {
	Code string `orm:",pk,type:VARCHAR(20)"`
	Word string
}

// A key moves on to another row, also to that of one that is deleted.
func TestKeysMoveOn(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Ticket)(nil)))
		s := db.session(t, orm.WithoutExpireOnCommit())
		a, b, c := &Ticket{Code: "a", Word: "one"}, &Ticket{Code: "b", Word: "two"}, &Ticket{Code: "c", Word: "three"}
		check(t, s.AddAll(a, b, c), s.Commit(t.Context()), s.Delete(t.Context(), c))
		a.Code, b.Code = "b", "c"
		check(t, s.Commit(t.Context()))
		if db.count(t, "SELECT count(*) FROM ticket WHERE code = 'b' AND word = 'one' OR code = 'c' AND word = 'two'") != 2 || db.count(t, "SELECT count(*) FROM ticket") != 2 {
			t.Error("the keys are not where they were to go")
		}
		if must(orm.Get[Ticket](t.Context(), s, "b")) != a || must(orm.Get[Ticket](t.Context(), s, "c")) != b {
			t.Error("the session finds other objects by them")
		}
	})
}

// Token has what the database fills in.
type Token struct {
	Code  string `orm:",pk,type:VARCHAR(20)"`
	Level int    `orm:",default:7"`
	Word  string
}

// A row that gets another object is as if it had been inserted: what the database
// fills in is its own, not that of the object before.
func TestARowThatChangesObjectsGetsDefaults(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Token)(nil)))
		s := db.session(t)
		old := &Token{Code: "a", Level: 40, Word: "old"}
		check(t, s.Add(old), s.Commit(t.Context()), s.Delete(t.Context(), old))
		next := &Token{Code: "a", Word: "new"}
		check(t, s.Add(next), s.Flush(t.Context()))
		if got := must(orm.GetOne[Token](t.Context(), s, "a")); got != next || got.Level != 7 || got.Word != "new" {
			t.Errorf("%+v", got)
		}
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT level FROM token"); n != 7 {
			t.Errorf("level %d", n)
		}
	})
}

// Pass and Stamp have UUIDs as text.
type Pass struct {
	ID     string `orm:",pk,type:uuid"`
	Word   string
	Stamps []*Stamp `orm:"rel:has-many"`
}

type Stamp struct {
	ID     int64
	PassID *string `orm:",type:uuid"`
	Pass   *Pass   `orm:"rel:belongs-to"`
}

// A UUID is the same in any form.
func TestUUIDsInUpperCase(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Pass)(nil), (*Stamp)(nil)))
		s := db.session(t)
		p := &Pass{ID: "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", Word: "one", Stamps: []*Stamp{{}, {}}}
		check(t, s.Add(p), s.Commit(t.Context()))
		for _, form := range []string{"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"} {
			if must(orm.GetOne[Pass](t.Context(), s, form)) != p {
				t.Errorf("%s gives another object", form)
			}
		}
		all := must(orm.From[Pass]().With("Stamps.Pass").All(t.Context(), s))
		if len(all) != 1 || all[0] != p || len(p.Stamps) != 2 || p.Stamps[0].Pass != p || s.IsModified(p) {
			t.Errorf("%v, %+v", all, p)
		}
		p.ID = "A0EEBC999C0B4EF8BB6D6BB9BD380A11"
		if s.IsModified(p) {
			t.Error("another form is a change")
		}
		p.Word = "two"
		other := &Pass{ID: "B0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", Word: "b"} // several rows whose keys come back
		check(t, s.Add(other), s.Commit(t.Context()))
		check(t, s.Delete(t.Context(), p), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM stamp WHERE pass_id IS NULL"); n != 2 {
			t.Errorf("%d stamps, want 2", n)
		}
	})
}
