package scan_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	_ "modernc.org/sqlite" // the embedded database

	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// ask runs a query whose rows are closed with the test.
type ask func(t *testing.T, query string) (scan.Rows, []string)

// asSQL asks database/sql.
func asSQL(t *testing.T, name, dsn string) ask {
	t.Helper()
	db, err := sql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return func(t *testing.T, query string) (scan.Rows, []string) {
		t.Helper()
		rows, err := db.Query(query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		t.Cleanup(func() { rows.Close() })
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		return rows, columns
	}
}

// asPGX asks pgx.
func asPGX(t *testing.T, dsn string) ask {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return func(t *testing.T, query string) (scan.Rows, []string) {
		t.Helper()
		rows, err := conn.Query(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		t.Cleanup(rows.Close)
		var columns []string
		for _, d := range rows.FieldDescriptions() {
			columns = append(columns, d.Name)
		}
		return rows, columns
	}
}

// all reads every row of a query.
func all[T any](t *testing.T, query ask, text string, opts ...scan.Option) ([]T, error) {
	t.Helper()
	rows, columns := query(t, text)
	plan, err := scan.PlanFor[T](columns, opts...)
	if err != nil {
		return nil, err
	}
	return plan.Append(rows, nil)
}

// TestNullIsNamedByEveryDriver reads NULL into each kind of field that can't
// hold it.
func TestNullIsNamedByEveryDriver(t *testing.T) {
	t.Parallel()
	type row struct {
		I   int
		I8  int8
		U   uint32
		F   float32
		D   float64
		S   string
		St  Status
		B   bool
		T   time.Time
		Raw struct{ X int } `db:",json"`
		Dur time.Duration
	}
	for name, query := range map[string]ask{
		"sqlite": asSQL(t, "sqlite", dbtest.SQLite(t)), "pgx": asPGX(t, dbtest.Postgres(t).Database(t).URL()),
	} {
		for _, opts := range [][]scan.Option{nil, {scan.WithConversions()}} {
			for _, f := range scan.Fields(reflect.TypeFor[row]()) {
				null := "NULL"
				if f.Column == "t" { // of no type, pgx takes it for text, and reads it into a time or not as a map's order has it
					null = "CAST(NULL AS timestamp)"
				}
				_, err := all[row](t, query, "SELECT "+null+" AS "+f.Column, opts...)
				c, ok := errors.AsType[*scan.ColumnError](err)
				if !ok || !errors.Is(err, scan.ErrNull) || c.Column != f.Column || c.Field != "scan_test.row."+f.Name || c.Type != f.Type.String() {
					t.Errorf("%s, %d options: %s: %v", name, len(opts), f.Name, err)
				}
			}
			if _, err := all[int](t, query, "SELECT NULL AS x", opts...); !errors.Is(err, scan.ErrNull) || !strings.Contains(err.Error(), `column "x" into int: NULL`) {
				t.Errorf("%s, %d options: %v", name, len(opts), err)
			}
		}
	}
}

func TestNullIsHeldByWhatCan(t *testing.T) {
	t.Parallel()
	type row struct {
		P *int
		Q **string
		N sql.Null[int]
		O sql.NullString
		B []byte
		A any
		J json.RawMessage
		S *Status
		T *time.Time
		M *map[string]int `db:",json"`
	}
	const text = "SELECT NULL AS p, NULL AS q, NULL AS n, NULL AS o, NULL AS b, NULL AS a, NULL AS j, NULL AS s, NULL AS t, NULL AS m"
	for name, query := range map[string]ask{
		"sqlite": asSQL(t, "sqlite", dbtest.SQLite(t)), "pgx": asPGX(t, dbtest.Postgres(t).Database(t).URL()),
	} {
		for _, opts := range [][]scan.Option{nil, {scan.WithConversions()}} {
			rows, columns := query(t, text)
			plan, err := scan.PlanFor[row](columns, opts...)
			if err != nil {
				t.Fatal(err)
			}
			n, s, st := 1, new(string), Status("x")
			got := row{
				P: &n, Q: &s, N: sql.Null[int]{V: 1, Valid: true}, O: sql.NullString{String: "x", Valid: true}, B: []byte{1},
				A: 1, J: []byte{1}, S: &st, T: new(time.Time), M: new(map[string]int),
			}
			for rows.Next() {
				err = plan.Scan(rows, &got)
			}
			if err := errors.Join(err, rows.Err()); err != nil || !reflect.DeepEqual(got, row{}) {
				t.Errorf("%s, %d options: %+v, %v", name, len(opts), got, err)
			}
		}
	}
}

// TestAValueThatDoesNotFitIsNotShown reads values into fields that are not for
// them: the error names the column, not the value, and wraps the driver's.
func TestAValueThatDoesNotFitIsNotShown(t *testing.T) {
	t.Parallel()
	type row struct {
		I8 int8
		I  int
		B  bool
		T  time.Time
		U  uint16
		F  float64
	}
	for name, query := range map[string]ask{
		"sqlite": asSQL(t, "sqlite", dbtest.SQLite(t)), "pgx": asPGX(t, dbtest.Postgres(t).Database(t).URL()),
	} {
		for _, opts := range [][]scan.Option{nil, {scan.WithConversions()}} {
			for text, field := range map[string]string{
				"SELECT 7777777 AS i8": "I8", "SELECT '7777777x' AS i": "I", "SELECT '7777777' AS b": "B", "SELECT '7777777' AS t": "T",
				"SELECT -7777777 AS u": "U", "SELECT 'x7777777' AS f": "F",
			} {
				_, err := all[row](t, query, text, opts...)
				c, ok := errors.AsType[*scan.ColumnError](err)
				if !ok || errors.Is(err, scan.ErrNull) || c.Field != "scan_test.row."+field || strings.Contains(err.Error(), "7777777") {
					t.Errorf("%s, %d options: %s: %v", name, len(opts), text, err)
				}
			}
		}
	}
}

// kinds are values of many types.
type kinds struct {
	Int     int
	Small   int16
	Big     uint64
	Float   float64
	Text    string
	Status  Status
	Level   *Level
	Bytes   []byte
	Yes     bool
	At      time.Time
	Maybe   *time.Time
	None    sql.Null[time.Time]
	Doc     Tree
	Raw     json.RawMessage
	List    []string
	ID      uuid
	Address netip.Addr
}

var (
	level  = Level(3)
	moment = time.Date(2024, 2, 29, 13, 14, 15, 123456000, time.UTC)
	wanted = kinds{
		Int: -5, Small: 300, Big: 1 << 40, Float: 1.5, Text: "é", Status: "new", Level: &level, Bytes: []byte{0, 255}, Yes: true,
		At: moment, Maybe: &moment, None: sql.Null[time.Time]{V: moment, Valid: true}, Doc: Tree{Leaf: 1}, Raw: []byte(`{"leaf": 1}`),
		List: []string{"a", "b"}, ID: uuid{15: 7}, Address: netip.MustParseAddr("192.0.2.1"),
	}
)

// TestKindsComeBackFromEveryDriver reads one value of each kind.
func TestKindsComeBackFromEveryDriver(t *testing.T) {
	t.Parallel()
	const numbers = `SELECT -5 AS int, 300 AS small, 1099511627776 AS big, 1.5 AS float, 'é' AS text, 'new' AS status, 3 AS level, `
	const postgres = numbers + `'\x00ff'::bytea AS bytes, true AS yes, '2024-02-29 13:14:15.123456Z'::timestamptz AS at,
		'2024-02-29 13:14:15.123456'::timestamp AS maybe, '2024-02-29 13:14:15.123456Z'::timestamptz AS none,
		'{"leaf": 1}'::jsonb AS doc, '{"leaf": 1}'::jsonb AS raw, '{"a","b"}'::text[] AS list,
		'00000000-0000-0000-0000-000000000007'::uuid AS id, '192.0.2.1'::inet AS address`
	const sqlite = numbers + `x'00ff' AS bytes, 1 AS yes, '2024-02-29 13:14:15.123456' AS at, '2024-02-29T13:14:15.123456Z' AS maybe,
		'2024-02-29 15:14:15.123456+02:00' AS none, '{"leaf": 1}' AS doc, '{"leaf": 1}' AS raw, '["a", "b"]' AS list,
		x'00000000000000000000000000000007' AS id, '192.0.2.1' AS address`
	for _, test := range []struct {
		name, text string
		query      ask
		opts       []scan.Option
	}{
		{"pgx", postgres, asPGX(t, dbtest.Postgres(t).Database(t).URL()), nil},
		{"sqlite", sqlite, asSQL(t, "sqlite", dbtest.SQLite(t)), []scan.Option{scan.WithConversions()}},
	} {
		got, err := all[kinds](t, test.query, test.text+" UNION ALL "+test.text, test.opts...)
		if err != nil || len(got) != 2 {
			t.Errorf("%s: %d rows, %v", test.name, len(got), err)
			continue
		}
		for _, row := range got {
			inUTC(&row)
			if !reflect.DeepEqual(row, wanted) {
				t.Errorf("%s:\n got %+v\nwant %+v", test.name, row, wanted)
			}
		}
	}
}

// inUTC makes times comparable.
func inUTC(k *kinds) {
	maybe := k.Maybe.UTC()
	k.At, k.Maybe, k.None.V = k.At.UTC(), &maybe, k.None.V.UTC()
}

// TestPGXReadsItsOwnTypes holds that what pgx alone can read is left to it.
func TestPGXReadsItsOwnTypes(t *testing.T) {
	t.Parallel()
	type row struct {
		Numeric  pgtype.Numeric
		Range    pgtype.Range[pgtype.Int4]
		Matrix   [][]int32
		Interval time.Duration
		Point    pgtype.Point `db:"point"`
		Meta     map[string]any
		Text     pgtype.Text
	}
	query := asPGX(t, dbtest.Postgres(t).Database(t).URL())
	got, err := all[row](t, query, `SELECT 1.25::numeric AS numeric, '[1,5)'::int4range AS range, '{{1,2},{3,4}}'::int[] AS matrix,
		'90 minutes'::interval AS interval, '(1,2)'::point AS point, '{"a": [1]}'::jsonb AS meta, 'x'::text AS text`)
	if err != nil {
		t.Fatal(err)
	}
	r := got[0]
	value, err := r.Numeric.Value()
	if err != nil || value != driver.Value("1.25") || r.Range.Upper.Int32 != 5 || r.Matrix[1][0] != 3 || r.Interval != 90*time.Minute ||
		r.Point.P.Y != 2 || len(r.Meta) != 1 || r.Text.String != "x" {
		t.Errorf("%+v, %v", r, err)
	}
	if spans, err := all[pgtype.Range[pgtype.Int4]](t, query, `SELECT '[1,5)'::int4range`); err != nil || spans[0].Lower.Int32 != 1 {
		t.Errorf("%+v, %v", spans, err)
	}
}

func TestWhatEndsTheRowsIsReturnedWithThoseBefore(t *testing.T) {
	t.Parallel()
	query := asPGX(t, dbtest.Postgres(t).Database(t).URL())
	got, err := all[int](t, query, "SELECT 1/(3-i) FROM generate_series(1, 5) i")
	if err == nil || len(got) > 2 {
		t.Errorf("%v, %v: want a division by zero", got, err)
	}
	if errors.As(err, new(*scan.ColumnError)) {
		t.Errorf("%v is taken for a column's", err)
	}
	lite := asSQL(t, "sqlite", dbtest.SQLite(t))
	got, err = all[int](t, lite, "SELECT 1 UNION ALL SELECT NULL")
	if !errors.Is(err, scan.ErrNull) || !reflect.DeepEqual(got, []int{1}) {
		t.Errorf("%v, %v: want the row before the NULL", got, err)
	}
}
