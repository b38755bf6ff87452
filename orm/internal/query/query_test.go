package query_test

import (
	"reflect"
	"sync"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type team struct {
	ID      int64
	Name    string
	Players []*player `orm:"rel:has-many"`
}

type player struct {
	ID     int64
	TeamID int64
	Team   *team `orm:"rel:belongs-to"`
}

var (
	postgres = &engine.Dialect{Placeholder: backend.Dollar, Quote: '"', NativeScan: true, Features: backend.Features{ForUpdate: true, SkipLocked: true}}
	mysql    = &engine.Dialect{Placeholder: backend.Question, Quote: '`', Features: backend.Features{ForUpdate: true, Upsert: backend.UpsertOnDuplicateKey}}
	sqlite   = &engine.Dialect{Placeholder: backend.Question, Quote: '"'}
)

func TestRender(t *testing.T) {
	t.Parallel()
	players, err := mapping.Of(reflect.TypeFor[player]())
	if err != nil {
		t.Fatal(err)
	}
	teams, err := mapping.Of(reflect.TypeFor[team]())
	if err != nil {
		t.Fatal(err)
	}
	where := []query.Condition{{Text: "id > ?", Args: []any{3}}, {Text: "id < ?", Args: []any{9}}}
	for _, c := range []struct {
		d    *engine.Dialect
		t    *mapping.Table
		q    query.Select
		want string
	}{
		{postgres, players, query.Select{}, `SELECT "id", "team_id" FROM "player"`},
		{mysql, players, query.Select{Where: where}, "SELECT `id`, `team_id` FROM `player` WHERE ( id > ? ) AND ( id < ? )"},
		{sqlite, players, query.Select{Order: []query.Order{{Text: "id DESC"}}, Offset: 2}, `SELECT "id", "team_id" FROM "player" ORDER BY id DESC LIMIT -1 OFFSET 2`},
		{mysql, players, query.Select{Offset: 2}, "SELECT `id`, `team_id` FROM `player` LIMIT 18446744073709551615 OFFSET 2"},
		{postgres, players, query.Select{Limited: true, Limit: 0, Lock: query.ForUpdateSkipLocked}, `SELECT "id", "team_id" FROM "player" LIMIT 0 FOR UPDATE SKIP LOCKED`},
		{sqlite, players, query.Select{Lock: query.ForUpdate}, `SELECT "id", "team_id" FROM "player"`},
		{
			postgres, players,
			query.Select{Joins: []query.Join{{Path: "Team"}}, Lock: query.ForUpdate},
			`SELECT "player"."id", "player"."team_id" FROM "player" JOIN "team" AS "team" ON "team"."id" = "player"."team_id" FOR UPDATE OF "player"`,
		},
		{
			sqlite, teams,
			query.Select{Joins: []query.Join{{Path: "Players", Left: true}}},
			`SELECT "team"."id", "team"."name" FROM "team" WHERE ("team"."id") IN (SELECT "team"."id" FROM "team" LEFT JOIN "player" AS "players" ON "players"."team_id" = "team"."id" )`,
		},
	} {
		got, _, err := c.q.Render(c.d, c.t)
		if err != nil || got != c.want {
			t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
		}
	}
}

type user struct {
	ID    int64
	Order int64
}

type note struct {
	ID     int64
	UserID int64
	User   *user `orm:"rel:belongs-to"`
}

// TestReservedNames quotes what the database would take for something else, and
// nothing besides.
func TestReservedNames(t *testing.T) {
	t.Parallel()
	notes, err := mapping.Of(reflect.TypeFor[note]())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"user.name = 'user.name'":        `"user".name = 'user.name'`,
		`User.id = 1 AND note.id = 2`:    `"user".id = 1 AND note.id = 2`,
		`"user".id = 1 AND other.user.x`: `"user".id = 1 AND other.user.x`,
		"user = 1 AND superuser.id = 2":  "user = 1 AND superuser.id = 2",
	} {
		q := query.Select{Joins: []query.Join{{Path: "User"}}, Where: []query.Condition{{Text: text}}, Order: []query.Order{{Text: "user.id"}}}
		got, _, err := q.Render(postgres, notes)
		want := `SELECT "note"."id", "note"."user_id" FROM "note" JOIN "user" AS "user" ON "user"."id" = "note"."user_id" WHERE ( ` + want + ` ) ORDER BY "user".id`
		if err != nil || got != want {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	table, err := mapping.Of(reflect.TypeFor[player]())
	if err != nil {
		t.Fatal(err)
	}
	paths, err := query.Paths(table, []string{"Team", "Team.Players"})
	if err != nil || len(paths) != 1 || paths[0].Relation.Field != "Team" || len(paths[0].Rest) != 1 || paths[0].Rest[0].Relation.Field != "Players" {
		t.Errorf("%v, %v", paths, err)
	}
	if _, err := query.Paths(table, []string{"Team.Nobody"}); err == nil {
		t.Error("a relation that is not there")
	}
}

func TestBulkTakesConditionsOnly(t *testing.T) {
	t.Parallel()
	table, err := mapping.Of(reflect.TypeFor[player]())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []query.Select{{Order: []query.Order{{Text: "id"}}}, {Limited: true}, {Offset: 1}, {Joins: []query.Join{{Path: "Team"}}}} {
		if _, err := q.Bulk(sqlite, table, "DELETE FROM ", ""); err == nil {
			t.Errorf("%+v", q)
		}
	}
	st, err := query.Select{Where: []query.Condition{{Text: "id = ?", Args: []any{1}}}}.Bulk(sqlite, table, "DELETE FROM ", "")
	if err != nil {
		t.Fatal(err)
	}
	if text, args, err := st.Render(sqlite); err != nil || text != `DELETE FROM "player" WHERE ( id = ? )` || len(args) != 1 {
		t.Errorf("%s %v %v", text, args, err)
	}
}

// TestQueriesAtOnce is that a query which fills relations leaves alone what others
// write while its statement ends.
func TestQueriesAtOnce(t *testing.T) {
	t.Parallel()
	teams, err := mapping.Of(reflect.TypeFor[team]())
	if err != nil {
		t.Fatal(err)
	}
	filling := query.Select{Fill: []query.Join{{Path: "Players.Team"}}}
	limited := query.Select{Fill: []query.Join{{Path: "Players"}}, Limited: true, Limit: 3}
	write := func() (texts [3]string, err error) {
		if texts[0], _, _, err = filling.Filled(postgres, teams); err == nil {
			texts[1], _, _, err = limited.Filled(postgres, teams)
		}
		if err == nil {
			texts[2], _, err = query.Select{Joins: []query.Join{{Path: "Players"}}}.Render(postgres, teams)
		}
		return texts, err
	}
	want, err := write()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 300 {
				if got, err := write(); err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}
