package orm_test

import (
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
)

// Sample has values that databases and Go write differently.
type Sample struct {
	ID      int64           `orm:",pk,noauto"`
	Version int             `orm:",version"`
	List    []float64       `orm:",json"`
	Doc     json.RawMessage `orm:",type:TEXT"`
	Map     map[string]any  `orm:",json"`
	At      sql.NullTime
	Maybe   *time.Time
	Time    time.Time
	Bytes   []byte
	Ref     *[]byte
	Small   float32
}

func samples(t *testing.T, db database) {
	t.Helper()
	types := map[sp.System]*strings.Replacer{
		sp.SQLite:     strings.NewReplacer("JSON", "TEXT", "TIME", "TIMESTAMP", "BYTES", "BLOB"),
		sp.PostgreSQL: strings.NewReplacer("JSON", "jsonb", "TIME", "timestamptz", "BYTES", "bytea"),
		sp.MariaDB:    strings.NewReplacer("TIME", "DATETIME(6)", "BYTES", "BLOB"),
	}[db.Dialect().System]
	must(db.Execute(t.Context(), engine.Text(types.Replace(`CREATE TABLE sample (id INTEGER PRIMARY KEY, version INT NOT NULL, list JSON,
		doc JSON, map JSON, at TIME, maybe TIME, time TIME, bytes BYTES, ref BYTES, small REAL)`))))
}

// An object of elsewhere that says what the row says is no change of it, in whichever
// way its values are written.
func TestAMergeOfWhatIsThere(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		samples(t, db)
		s := db.session(t)
		now := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 3600))
		made := func() *Sample {
			local, empty := now.UTC(), []byte{}
			return &Sample{
				ID: 1, List: []float64{1, 2.5}, Doc: json.RawMessage(`{"b": 1e2, "a": [1.50, null], "e": "\u0041<"}`),
				Map: map[string]any{"x": 1, "y": nil, "z": []int{1}}, At: sql.NullTime{Time: now, Valid: true}, Maybe: &local, Time: now,
				Ref: &empty, Small: 0.1,
			}
		}
		check(t, s.Add(made()), s.Commit(t.Context()))
		s.ExpungeAll()
		for range 2 {
			o := must(orm.GetOne[Sample](t.Context(), s, 1))
			again := made()
			again.Version = o.Version
			if got := must(orm.Merge(t.Context(), s, again)); got != o || s.IsModified(o) {
				t.Errorf("a merge has changed %+v", must(s.Inspect(o)).Changes)
			}
			check(t, s.Commit(t.Context()))
		}
		if n := db.count(t, "SELECT version FROM sample"); n != 1 {
			t.Errorf("version %d", n)
		}
		next := made()
		next.Time, next.At.Valid = now.Add(time.Microsecond), false
		must(orm.Merge(t.Context(), s, next))
		check(t, s.Commit(t.Context()))
		if got := must(orm.GetOne[Sample](t.Context(), s, 1)); got.At.Valid || got.Time.Sub(now.Truncate(time.Microsecond)).Truncate(time.Microsecond) != time.Microsecond {
			t.Errorf("%+v", got)
		}
	})
}

// No bytes are not NULL.
func TestNoBytesAreNotNULL(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		samples(t, db)
		s := db.session(t)
		empty := []byte{}
		check(t, s.Add(&Sample{ID: 1, Bytes: empty, Ref: &empty}), s.Add(&Sample{ID: 2}), s.Commit(t.Context()))
		s.ExpungeAll()
		for range 2 {
			one, two := must(orm.GetOne[Sample](t.Context(), s, 1)), must(orm.GetOne[Sample](t.Context(), s, 2))
			if one.Bytes == nil || one.Ref == nil || *one.Ref == nil || two.Bytes != nil || two.Ref != nil {
				t.Errorf("%#v, %#v", one, two)
			}
			two.Bytes = empty
			if !s.IsModified(two) {
				t.Error("no bytes in place of NULL are no change")
			}
			check(t, s.Rollback(t.Context()))
		}
	})
}

// Shift's key is a time, which its tasks refer to.
type Shift struct {
	At    time.Time `orm:",pk"`
	Tasks []*Task   `orm:"rel:has-many,fk:shift_at"`
}

type Task struct {
	ID      int64 `orm:",pk,noauto"`
	ShiftAt *time.Time
	Shift   *Shift `orm:"rel:belongs-to,fk:shift_at"`
}

// What refers to a key refers to what the database keeps of it.
func TestReferencesToTimes(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		check(t, orm.CreateAll(ctx, db, (*Shift)(nil), (*Task)(nil)))
		s := db.session(t)
		at := time.Date(2026, 1, 1, 1, 1, 1, 123456789, time.FixedZone("", 7200))
		k := &Shift{At: at, Tasks: []*Task{{ID: 1}}}
		check(t, s.Add(k), s.Add(&Task{ID: 2, ShiftAt: &at}), s.Commit(ctx))
		if must(orm.Get[Shift](ctx, s, at)) != k || must(orm.Get[Shift](ctx, s, at.UTC())) != k {
			t.Error("it isn't found by its key")
		}
		all := must(orm.From[Shift]().With("Tasks.Shift").All(ctx, s))
		if len(all) != 1 || all[0] != k || len(k.Tasks) != 2 || k.Tasks[1].Shift != k {
			t.Errorf("%d, %+v", len(all), k)
		}
		k.Tasks = k.Tasks[1:]
		check(t, s.Commit(ctx))
		q := orm.From[Task]()
		if n := must(q.Where(expr.IsNull(&q.Row().ShiftAt)).Count(ctx, s)); n != 1 {
			t.Errorf("%d tasks have no shift, want 1", n)
		}
		p := orm.From[Shift]()
		if n := must(p.Where(expr.Eq(&p.Row().At, at)).Count(ctx, s)); n != 1 {
			t.Errorf("%d shifts by a condition", n)
		}
	})
}
