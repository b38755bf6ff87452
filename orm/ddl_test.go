package orm_test

import (
	"database/sql"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Everything has a field of each kind that a table is created for.
type Everything struct {
	ID     int64
	Code   string `orm:"code,unique"`
	Text   string
	Small  int16
	Number int32
	Big    uint64
	Ratio  float64
	Yes    bool
	Maybe  *bool
	Word   sql.NullString
	Count  sql.Null[int64]
	Bytes  []byte
	Name   [16]byte
	At     time.Time
	Since  time.Time `orm:",default"`
	Rank   int       `orm:",default:7"`
	Twice  int64     `orm:"twice,generated:number * 2"`
	Price  string    `orm:"price,type:numeric(10,2)"`
	List   []string
	Tree   map[string]any `orm:",json"`
	Other  *int64         `orm:"other,references:everything.id"`
}

func TestTablesAreCreatedForObjects(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		check(t, orm.CreateAll(ctx, db.Engine, (*Everything)(nil)), orm.CreateAll(ctx, db.Engine, (*Everything)(nil)))
		s := db.session(t)
		yes := true
		in := &Everything{
			Code: "c", Text: "t", Small: -3, Number: 21, Big: 1 << 63, Ratio: 1.5, Yes: true, Maybe: &yes,
			Word: sql.NullString{String: "w", Valid: true}, Count: sql.Null[int64]{V: 9, Valid: true}, Bytes: []byte{0, 255},
			Name: [16]byte{1, 2, 3}, At: time.Date(2024, 2, 29, 12, 30, 0, 123456000, time.UTC), Price: "12.50",
			List: []string{"a", "b"}, Tree: map[string]any{"k": []any{"v"}},
		}
		if db.Dialect().System == "sqlite" {
			in.Big = 1 << 62 // its integers have a sign
		}
		check(t, s.Add(in), s.Commit(ctx))
		other := db.session(t)
		out := must(orm.GetOne[Everything](ctx, other, in.ID))
		if out.Since.IsZero() || out.Rank != 7 || out.Twice != 42 {
			t.Errorf("the database's own values are %v, %d, %d", out.Since, out.Rank, out.Twice)
		}
		if !out.At.Equal(in.At) {
			t.Errorf("the time is %v, want %v", out.At, in.At)
		}
		if db.Dialect().System == "sqlite" && out.Price == "12.5" {
			out.Price = "12.50" // a number there
		}
		out.At, out.Since, out.Rank, out.Twice = in.At, in.Since, in.Rank, in.Twice
		if !reflect.DeepEqual(in, out) {
			t.Errorf("wrote %+v\nread  %+v", in, out)
		}
		check(t, other.Close(ctx))

		twin := &Everything{Code: "c", Price: "1", Other: &in.ID}
		check(t, s.Add(twin))
		if err := s.Flush(ctx); err == nil {
			t.Error("a unique column has the same value twice")
		}
		check(t, s.Close(ctx), orm.DropAll(ctx, db.Engine, &Everything{}), orm.DropAll(ctx, db.Engine, &Everything{}))
		if err := orm.CreateAll(ctx, db.Engine, 7); err == nil {
			t.Error("a number has a table")
		}
	})
}

func TestWhatCanNotBeCreatedIsNamed(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite::memory:")
	type vague struct {
		ID int64
		N  int `orm:",default"`
	}
	type computed struct {
		ID int64
		N  int `orm:",generated"`
	}
	type odd struct {
		ID int64
		S  struct{ A int }
	}
	for field, obj := range map[string]any{"N": (*vague)(nil), "N ": (*computed)(nil), "S": (*odd)(nil)} {
		err := orm.CreateAll(t.Context(), db.Engine, obj)
		if e, ok := errors.AsType[*mapping.Error](err); !ok || e.Field != field[:1] {
			t.Errorf("%T: %v", obj, err)
		}
	}
}
