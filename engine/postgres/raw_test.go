package postgres_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

// mood is a type that is no type of pgx's.
type mood string

// sample has fields that are decoded, and some that only pgx can read.
type sample struct {
	ID     int64
	Small  int16
	Plain  int
	Mood   mood
	Note   *string
	Score  *float64
	Price  float64
	Digits float64 // of a numeric, which is not decoded
	Active bool
	Raw    []byte
	UUID   [16]byte
	Tags   []string
	Doc    struct{ A int } `db:",json"`
	At     time.Time
	Day    time.Time // of a date
	Seen   *time.Time
}

const samples = `SELECT n AS id, (n * 2)::int2 AS small, n::int4 AS plain, 'calm'::varchar AS mood,
	CASE WHEN n % 2 = 0 THEN 'note ' || n END AS note, CASE WHEN n % 2 = 1 THEN n / 4.0::float8 END AS score,
	n / 8.0::float4 AS price, n / 10.0 AS digits, n % 3 = 0 AS active,
	CASE WHEN n % 2 = 0 THEN decode('00ff', 'hex') END AS raw, '01234567-89ab-cdef-0123-456789abcdef'::uuid AS uuid,
	ARRAY['x', n::text] AS tags, json_build_object('A', n) AS doc,
	'1999-12-31 23:59:59.123456'::timestamp + n * interval '1 second' AS at, date '2024-02-29' AS day,
	CASE WHEN n = 2 THEN timestamptz '0001-01-01 00:00:00+00' WHEN n > 2 THEN timestamptz '2024-02-29 12:00:00+02' END AS seen
	FROM generate_series(1, 5) AS n`

func TestAReaderReadsWhatScanDoes(t *testing.T) {
	t.Parallel()
	eng := open(t)
	got, err := engine.All[sample](t.Context(), eng, engine.Text(samples))
	if err != nil || len(got) != 5 {
		t.Fatal(len(got), err)
	}
	cur, err := eng.Query(t.Context(), engine.Text(samples))
	if err != nil {
		t.Fatal(err)
	}
	defer cur.Close()
	plan, err := scan.PlanFor[sample](cur.Names())
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; cur.Next(); i++ {
		var want sample
		if err := plan.Scan(cur, &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got[i], want) {
			t.Errorf("row %d is %+v, Scan reads %+v", i, got[i], want)
		}
	}
}

func TestAReaderSaysWhatScanDoes(t *testing.T) {
	t.Parallel()
	eng := open(t)
	for text, want := range map[string]error{
		"SELECT 1::int8 AS id, NULL::varchar AS mood":                     scan.ErrNull,
		"SELECT NULL::timestamp AS at":                                    scan.ErrNull,
		"SELECT 'infinity'::timestamptz AS at":                            nil,
		"SELECT 1::int8 AS id, 40000 AS small":                            nil,
		"SELECT 1::int8 AS id, '{\"A\": \"x\"}'::json AS doc, 1 AS plain": nil,
	} {
		got, err := engine.All[sample](t.Context(), eng, engine.Text(text))
		column, ok := errors.AsType[*scan.ColumnError](err)
		if !ok || len(got) != 0 || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		_, old := engine.One[sample](t.Context(), eng, engine.Text(text)) // by Scan
		same, ok := errors.AsType[*scan.ColumnError](old)
		if !ok || same.Column != column.Column || old.Error() != err.Error() {
			t.Errorf("%s: %v, Scan says %v", text, err, old)
		}
	}
}

// TestAReaderAllocatesForTextsAlone reads the same row again and again.
func TestAReaderAllocatesForTextsAlone(t *testing.T) {
	type plain struct {
		ID     int64
		Plain  int
		Price  float64
		Active bool
		At     time.Time
		Note   *string
	}
	eng := open(t)
	for text, want := range map[string]float64{
		"SELECT 1::int8 AS id, 2::int4 AS plain, 3::float8 AS price, true AS active, now()::timestamp AS at": 0,
		"SELECT 1::int8 AS id, 'text' AS note":     2, // the text, and what the field points to
		"SELECT 1::int8 AS id, NULL::text AS note": 0,
	} {
		cur, err := eng.Query(t.Context(), engine.Text(text))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := scan.PlanOf(reflect.TypeFor[plain](), cur.Names())
		if err != nil {
			t.Fatal(err)
		}
		reader, got := plan.Reader(cur), new(plain)
		cur.Next()
		if n := alloctest.PerRun(100, func() { err = reader.ScanAt(unsafe.Pointer(got)) }); n > want || err != nil || got.ID != 1 {
			t.Errorf("%s: %v allocations, want %v; %v", text, n, want, err)
		}
		if err := cur.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReaderOfAClosedCursorReadsNothing(t *testing.T) {
	t.Parallel()
	eng := open(t)
	cur, err := eng.Query(context.Background(), engine.Text(samples))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := scan.PlanOf(reflect.TypeFor[sample](), cur.Names())
	if err != nil {
		t.Fatal(err)
	}
	reader, got := plan.Reader(cur), sample{}
	cur.Next()
	if err := cur.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reader.ScanAt(unsafe.Pointer(&got)); err == nil || got.ID != 0 {
		t.Errorf("a closed cursor was read: %+v, %v", got, err)
	}
}
