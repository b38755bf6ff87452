package orm_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Lamp has defaults that only the database knows.
type Lamp struct {
	ID    int64  `orm:",pk,noauto"`
	Color string `orm:",default"`
	Watts *int   `orm:",default"`
	Room  string
}

// A new object in the row of a deleted one has the defaults of a new row, also
// where an UPDATE has no word for them.
func TestARowThatIsTakenOverGetsItsDefaultsAnew(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		must(db.Execute(t.Context(), engine.Text(`CREATE TABLE lamp (id INTEGER PRIMARY KEY, color VARCHAR(20) NOT NULL DEFAULT 'it''s red',
			watts INTEGER DEFAULT 60, room VARCHAR(20) NOT NULL)`)))
		s, one := db.session(t), 1
		old := &Lamp{ID: 1, Color: "blue", Watts: &one, Room: "hall"}
		check(t, s.Add(old), s.Commit(t.Context()))
		db.rec.take()
		now := &Lamp{ID: 1, Room: "attic"}
		check(t, s.Delete(t.Context(), old), s.Add(now), s.Flush(t.Context()))
		db.sent(t, "UPDATE lamp")
		check(t, s.Refresh(t.Context(), now))
		if now.Color != "it's red" || now.Watts == nil || *now.Watts != 60 || now.Room != "attic" {
			t.Errorf("%+v", now)
		}
		check(t, s.Commit(t.Context()))
	})
}

// Dorm is what beds are in, and has a unique name.
type Dorm struct {
	ID   int64  `orm:",pk,noauto"`
	Name string `orm:",unique,type:VARCHAR(20)"`
	Beds []*Bed `orm:"rel:has-many"`
}

type Bed struct {
	ID     int64 `orm:",pk,noauto"`
	DormID *int64
	Dorm   *Dorm `orm:"rel:belongs-to"`
}

// What a deleted row had that another one takes is free before, and so are the
// rows that referred to it.
func TestARowTakesWhatADeletedOneHad(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Dorm)(nil), (*Bed)(nil)))
		for name, take := range map[string]func(s *orm.Session, a, b *Dorm) error{
			"its key":             func(_ *orm.Session, _, b *Dorm) error { b.ID = 1; return nil },
			"its name":            func(_ *orm.Session, _, b *Dorm) error { b.Name = "a"; return nil },
			"its name, and a bed": func(_ *orm.Session, a, b *Dorm) error { a.Beds[0].Dorm, b.Name = b, "a"; return nil },
			"a new one its name":  func(s *orm.Session, _, _ *Dorm) error { return s.Add(&Dorm{ID: 3, Name: "a"}) },
			"a new one its key":   func(s *orm.Session, _, _ *Dorm) error { return s.Add(&Dorm{ID: 1, Name: "c"}) },
		} {
			s := db.session(t)
			must(db.Execute(t.Context(), engine.Text("DELETE FROM bed")))
			must(db.Execute(t.Context(), engine.Text("DELETE FROM dorm")))
			a, b := &Dorm{ID: 1, Name: "a", Beds: []*Bed{{ID: 1}, {ID: 2}}}, &Dorm{ID: 2, Name: "b"}
			check(t, s.Add(a), s.Add(b), s.Commit(t.Context()))
			all := must(orm.From[Dorm]().With("Beds").OrderBy("id").All(t.Context(), s))
			if err := errors.Join(take(s, all[0], all[1]), s.Delete(t.Context(), all[0]), s.Commit(t.Context())); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			homeless := 2
			if name == "its name, and a bed" {
				homeless = 1
			}
			if n := db.count(t, "SELECT COUNT(*) FROM bed WHERE dorm_id IS NULL"); n != homeless {
				t.Errorf("%s: %d beds are nowhere, want %d", name, n, homeless)
			}
			check(t, s.Close(t.Context()))
		}
	})
}

// Primary keys that go round in a circle take what refers to them along.
func TestPrimaryKeysAreExchanged(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		for _, text := range guildTables {
			must(db.Execute(t.Context(), engine.Text(text)))
		}
		for name, next := range map[string][]int{"two": {1, 0, 2}, "three": {1, 2, 0}} {
			for _, table := range []string{"guild_town", "town", "member", "seal", "guild"} {
				must(db.Execute(t.Context(), engine.Text("DELETE FROM "+table)))
			}
			s := db.session(t)
			codes := []string{"a", "b", "c"}
			for i, code := range codes {
				check(t, s.Add(&Guild{Code: code, Seal: &Seal{Word: code + "s"}, Members: []*Member{{ID: int64(i), Word: code + "m"}}, Towns: []*Town{{ID: int64(i)}}}))
			}
			check(t, s.Commit(t.Context()))
			before := guilds(t, db)
			var want []string
			for i := range next {
				from := slices.Index(next, i)
				want = append(want, fmt.Sprintf("%s: %[2]ss %[2]sm %[3]d", codes[i], codes[from], from))
			}
			for _, end := range []func() error{func() error { return s.Rollback(t.Context()) }, func() error { return s.Commit(t.Context()) }} {
				all := must(orm.From[Guild]().With("Seal", "Members.Guild", "Towns").OrderBy("code").All(t.Context(), s))
				for i, g := range all {
					g.Code = codes[next[i]]
				}
				all[0].Members[0].Word = "am"
				check(t, s.Flush(t.Context()))
				for i, g := range all {
					if *g.Members[0].GuildCode != codes[next[i]] || g.Seal.GuildCode != codes[next[i]] || must(orm.Get[Guild](t.Context(), s, g.Code)) != g {
						t.Errorf("%s: %+v, %+v", name, g.Members[0], g.Seal)
					}
				}
				check(t, end())
				if got := guilds(t, db); !slices.Equal(got, before) && !slices.Equal(got, want) {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if got := guilds(t, db); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
			check(t, s.Close(t.Context()))
		}
	})
}

// Sheet shares its key with what it is part of, and so can't give it up.
type Sheet struct {
	BookID int64  `orm:"book_id,pk,references:folio"`
	On     bool   `orm:"on_top"`
	Word   string `orm:",type:VARCHAR(20)"`
}

type Folio struct {
	ID int64 `orm:",pk,noauto"`
}

// What can't be given up is refused by the database, and the error says why.
func TestAnExchangeThatNothingOpens(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Folio)(nil), (*Sheet)(nil)))
		s := db.session(t)
		a, b := &Sheet{BookID: 1}, &Sheet{BookID: 2}
		check(t, s.Add(&Folio{ID: 1}), s.Add(&Folio{ID: 2}), s.Add(a), s.Add(b), s.Flush(t.Context()))
		a.BookID, b.BookID = 2, 1
		err := s.Flush(t.Context())
		var violated *integrity.Error
		if !errors.As(err, &violated) || !containsText(err, "rows exchange BookID") {
			t.Errorf("%v", err)
		}
		check(t, s.Rollback(t.Context()))
	})
}
