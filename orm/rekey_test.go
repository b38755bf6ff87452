package orm_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Guild's key changes, and goes on to all that refers to it.
type Guild struct {
	Code    string    `orm:",pk"`
	Seal    *Seal     `orm:"rel:has-one,fk:guild_code,cascade:all+orphan"`
	Members []*Member `orm:"rel:has-many,fk:guild_code"`
	Towns   []*Town   `orm:"rel:many-to-many,through:guild_town"`
}

// Seal shares the key of its guild.
type Seal struct {
	GuildCode string `orm:"guild_code,pk,references:guild.code"`
	Word      string
}

type Member struct {
	ID        int64 `orm:",pk,noauto"`
	GuildCode *string
	Word      string
	Guild     *Guild `orm:"rel:belongs-to,fk:guild_code"`
}

type Town struct {
	ID int64 `orm:",pk,noauto"`
}

// Twig grows on another one.
type Twig struct {
	Code  string  `orm:",pk"`
	On    *string `orm:"grows_on"`
	Above *Twig   `orm:"rel:belongs-to,fk:grows_on"`
}

var guildTables = []string{
	"CREATE TABLE guild (code VARCHAR(20) PRIMARY KEY)",
	"CREATE TABLE seal (guild_code VARCHAR(20) PRIMARY KEY, word VARCHAR(20) NOT NULL, FOREIGN KEY (guild_code) REFERENCES guild (code) ON UPDATE CASCADE)",
	"CREATE TABLE member (id INTEGER PRIMARY KEY, guild_code VARCHAR(20), word VARCHAR(20) NOT NULL, FOREIGN KEY (guild_code) REFERENCES guild (code) ON UPDATE CASCADE)",
	"CREATE TABLE town (id INTEGER PRIMARY KEY)",
	`CREATE TABLE guild_town (guild_code VARCHAR(20), town_id INTEGER, PRIMARY KEY (guild_code, town_id),
		FOREIGN KEY (guild_code) REFERENCES guild (code) ON UPDATE CASCADE, FOREIGN KEY (town_id) REFERENCES town (id))`,
}

// guilds reads the rows of all guilds: "a: word of its seal, words of its members, towns".
func guilds(t *testing.T, db database) (out []string) {
	t.Helper()
	s := db.session(t)
	for _, g := range must(orm.From[Guild]().With("Seal", "Members", "Towns").OrderBy("code").All(t.Context(), s)) {
		text := g.Code + ":"
		if g.Seal != nil {
			text += " " + g.Seal.Word
		}
		for _, m := range g.Members {
			text += " " + m.Word
		}
		for _, n := range g.Towns {
			text += fmt.Sprint(" ", n.ID)
		}
		out = append(out, text)
	}
	check(t, s.Close(t.Context()))
	return out
}

// Keys go from row to row in one flush, and what refers to the rows stays with them.
func TestKeysThatGoOn(t *testing.T) {
	code := func(s string) *string { return &s }
	onEach(t, func(t *testing.T, db database) {
		for _, text := range guildTables {
			must(db.Execute(t.Context(), engine.Text(text)))
		}
		for name, c := range map[string]struct {
			do   func(s *orm.Session, a, b *Guild) error
			want []string
		}{
			"the seal changes": {func(_ *orm.Session, a, _ *Guild) error {
				a.Code, a.Seal.Word = "x", "new"
				return nil
			}, []string{"b: bs bm", "x: new am 1"}},
			"the seal is another": {func(_ *orm.Session, a, _ *Guild) error {
				a.Code, a.Seal = "x", &Seal{Word: "new"}
				return nil
			}, []string{"b: bs bm", "x: new am 1"}},
			"the seal goes": {func(_ *orm.Session, a, _ *Guild) error {
				a.Code, a.Seal = "x", nil
				return nil
			}, []string{"b: bs bm", "x: am 1"}},
			"the key goes to a new row": {func(s *orm.Session, a, _ *Guild) error {
				a.Code = "x"
				return s.Add(&Guild{Code: "a", Seal: &Seal{Word: "ns"}})
			}, []string{"a: ns", "b: bs bm", "x: as am 1"}},
			"a member goes to a new row of that key": {func(s *orm.Session, a, _ *Guild) error {
				a.Code = "x"
				next := &Guild{Code: "a", Members: a.Members}
				a.Members = nil
				return s.Add(next)
			}, []string{"a: am", "b: bs bm", "x: as 1"}},
			"the key goes to another": {func(_ *orm.Session, a, b *Guild) error {
				a.Code, b.Code = "x", "a"
				a.Seal.Word = "new"
				return nil
			}, []string{"a: bs bm", "x: new am 1"}},
			"so do a member and a town": {func(_ *orm.Session, a, b *Guild) error {
				a.Code, b.Code = "x", "a"
				a.Members[0].Guild = b
				b.Towns, a.Towns = a.Towns, nil
				return nil
			}, []string{"a: bs am bm 1", "x: as"}},
			"the seal goes with it, another comes": {func(_ *orm.Session, a, b *Guild) error {
				a.Code, b.Code = "x", "a"
				a.Seal, b.Seal = nil, &Seal{Word: "new"}
				return nil
			}, []string{"a: new bm", "x: am 1"}},
			"a member is assigned": {func(_ *orm.Session, a, b *Guild) error {
				a.Code, b.Code = "x", "y"
				b.Members[0].GuildCode = code("x")
				return nil
			}, []string{"x: as am bm 1", "y: bs"}},
		} {
			for _, table := range []string{"guild_town", "town", "member", "seal", "guild"} {
				must(db.Execute(t.Context(), engine.Text("DELETE FROM "+table)))
			}
			s := db.session(t)
			a := &Guild{Code: "a", Seal: &Seal{Word: "as"}, Members: []*Member{{ID: 1, Word: "am"}}, Towns: []*Town{{ID: 1}}}
			b := &Guild{Code: "b", Seal: &Seal{Word: "bs"}, Members: []*Member{{ID: 2, Word: "bm"}}}
			check(t, s.Add(a), s.Add(b), s.Flush(t.Context()))
			check(t, s.Commit(t.Context()))
			before := guilds(t, db)
			for _, end := range []func() error{
				func() error { return s.Rollback(t.Context()) },
				func() error { return s.Commit(t.Context()) },
			} {
				all := must(orm.From[Guild]().With("Seal", "Members.Guild", "Towns").OrderBy("code").All(t.Context(), s))
				if err := errors.Join(c.do(s, all[0], all[1]), s.Flush(t.Context())); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, g := range all {
					for _, m := range g.Members {
						if m.GuildCode == nil || *m.GuildCode != g.Code || g.Seal != nil && g.Seal.GuildCode != g.Code {
							t.Errorf("%s: what refers to %s has %v, %v", name, g.Code, m, g.Seal)
						}
					}
				}
				if err := end(); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := guilds(t, db); !slices.Equal(got, before) && !slices.Equal(got, c.want) {
					t.Errorf("%s: %q", name, got)
				}
			}
			if got := guilds(t, db); !slices.Equal(got, c.want) {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
			check(t, s.Close(t.Context()))
		}
	})
}

// A row that is updated before the keys of its own table go on would follow
// another one than it is to refer to.
func TestAReferenceThatWouldFollowAnotherRow(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite:"+t.TempDir()+"/twigs.db")
	must(db.Execute(t.Context(), engine.Text("CREATE TABLE twig (code TEXT PRIMARY KEY, grows_on TEXT REFERENCES twig ON UPDATE CASCADE)")))
	s := db.session(t)
	leaf, a, b := &Twig{Code: "0"}, &Twig{Code: "a"}, &Twig{Code: "b"}
	check(t, s.Add(leaf), s.Add(a), s.Add(b), s.Commit(t.Context()))
	twigs := must(orm.From[Twig]().With("Above").OrderBy("code").All(t.Context(), s))
	twigs[0].Above, twigs[1].Code, twigs[2].Code = twigs[1], "b", "c"
	if err := s.Flush(t.Context()); !errors.Is(err, orm.ErrFlush) {
		t.Fatal(err)
	}
	check(t, s.Rollback(t.Context()))
	twigs = must(orm.From[Twig]().With("Above").OrderBy("code").All(t.Context(), s))
	twigs[1].Code, twigs[2].Code = "b", "c"
	check(t, s.Flush(t.Context()))
	twigs[0].Above = twigs[1]
	check(t, s.Commit(t.Context()))
	if n := db.count(t, "SELECT COUNT(*) FROM twig WHERE code = '0' AND grows_on = 'b'"); n != 1 {
		t.Fatal("it refers to another")
	}
}
