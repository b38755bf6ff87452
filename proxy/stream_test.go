package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy"
)

const allIDs = "SELECT id FROM item ORDER BY id"

// stream opens a stream of all ids.
func stream(t *testing.T, ex proxy.AsyncExecutor, window int) proxy.AsyncResult {
	t.Helper()
	return must(t, ex.Stream(t.Context(), engine.Text(allIDs), engine.WithWindow(window)))
}

// onEachExecutor runs a test on each database and on each kind of executor.
func onEachExecutor(t *testing.T, test func(t *testing.T, ex proxy.AsyncExecutor)) {
	t.Helper()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		t.Run("engine", func(t *testing.T) { test(t, eng) })
		t.Run("connection", func(t *testing.T) { test(t, connect(t, eng)) })
		t.Run("transaction", func(t *testing.T) {
			tx := must(t, eng.Begin(t.Context()))
			defer tx.Close(t.Context())
			test(t, tx)
			ok(t, tx.Commit(t.Context()))
		})
	})
}

// ints reads the only column of rows.
func ints(t *testing.T, rows []engine.Row) []int64 {
	t.Helper()
	out := make([]int64, len(rows))
	for i, row := range rows {
		if err := row.Scan(&out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestAStreamIsReadInAnyWay(t *testing.T) {
	t.Parallel()
	onEachExecutor(t, func(t *testing.T, ex proxy.AsyncExecutor) {
		for _, window := range []int{1, 7, 30, 1000} {
			s := stream(t, ex, window)
			if keys := s.Keys(); !reflect.DeepEqual(keys, []string{"id"}) {
				t.Error(keys)
			}
			// Futures in program order, awaited in another one.
			one, many := s.FetchOne(t.Context()), s.FetchMany(t.Context(), 4)
			if got := ints(t, must(t, many)); !reflect.DeepEqual(got, []int64{2, 3, 4, 5}) {
				t.Error("many:", got)
			}
			if first := must(t, one); !first.OK || ints(t, []engine.Row{first.Value})[0] != 1 {
				t.Error("one:", first)
			}
			var got []int64
			for row, err := range s.Iter(t.Context()) { // left early, in a window
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, ints(t, []engine.Row{row})...); len(got) == 3 {
					break
				}
			}
			got = append(got, ints(t, []engine.Row{must(t, s.FetchOne(t.Context())).Value})...)
			got = append(got, ints(t, must(t, s.FetchMany(t.Context(), 6)))...)
			for part, err := range s.Partitions(t.Context(), 4) {
				if err != nil || len(part) > 4 {
					t.Fatal(len(part), err)
				}
				got = append(got, ints(t, part)...)
			}
			if len(got) != 25 || got[0] != 6 || got[24] != 30 {
				t.Errorf("window %d: %v", window, got)
			}
			if rest := must(t, s.All(t.Context())); len(rest) != 0 {
				t.Error("after the end:", rest)
			}
			if v := must(t, s.FetchOne(t.Context())); v.OK {
				t.Error("after the end:", v)
			}
			// The connection is free without Close, which still may come.
			if n := count(t, ex); n != 30 {
				t.Error(n)
			}
			ok(t, s.Close(t.Context()))
			ok(t, s.Close(t.Context()))
			if _, err := s.FetchOne(t.Context()).Await(t.Context()); !errors.Is(err, engine.ErrClosed) {
				t.Error("fetch after close:", err)
			}
		}
		var sizes []int
		for part, err := range stream(t, ex, 12).Partitions(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(part))
		}
		if !reflect.DeepEqual(sizes, []int{12, 12, 6}) {
			t.Error("windows:", sizes)
		}
	})
}

// TestALoopLosesNoRow reads the stream inside a loop over it, leaves the loop,
// and asks for rows with a context that is over.
func TestALoopLosesNoRow(t *testing.T) {
	t.Parallel()
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	onEachExecutor(t, func(t *testing.T, ex proxy.AsyncExecutor) {
		for _, window := range []int{1, 4, 1000} {
			s := stream(t, ex, window)
			var got []int64
			for row, err := range s.Iter(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, ints(t, []engine.Row{row})...)
				if len(got) > 20 {
					break
				}
				inside := must(t, s.FetchOne(t.Context()))
				got = append(got, ints(t, []engine.Row{inside.Value})...)
			}
			if _, err := s.FetchMany(dead, 3).Await(t.Context()); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			got = append(got, ints(t, must(t, s.All(t.Context())))...)
			for i, id := range got {
				if id != int64(i+1) || len(got) != 30 {
					t.Fatalf("window %d: %v", window, got)
				}
			}
		}
	})
}

func TestAStreamThatIsReadForOneRowEnds(t *testing.T) {
	t.Parallel()
	onEachExecutor(t, func(t *testing.T, ex proxy.AsyncExecutor) {
		upTo := func(n int) proxy.AsyncResult {
			return must(t, ex.Stream(t.Context(), engine.Text("SELECT id FROM item WHERE id <= ? ORDER BY id", n), engine.WithWindow(5)))
		}
		// skip leaves a row of a loop that was left early in front.
		skip := func(s proxy.AsyncResult) proxy.AsyncResult {
			for range s.Iter(t.Context()) {
				break
			}
			return s
		}
		for name, c := range map[string]struct {
			first, one, optional error
			rows                 func() proxy.AsyncResult
		}{
			"none":               {nil, engine.ErrNoResult, nil, func() proxy.AsyncResult { return upTo(0) }},
			"one":                {nil, nil, nil, func() proxy.AsyncResult { return upTo(1) }},
			"several":            {nil, engine.ErrMultipleResults, engine.ErrMultipleResults, func() proxy.AsyncResult { return upTo(20) }},
			"one after a loop":   {nil, nil, nil, func() proxy.AsyncResult { return skip(upTo(2)) }},
			"two after a loop":   {nil, engine.ErrMultipleResults, engine.ErrMultipleResults, func() proxy.AsyncResult { return skip(upTo(3)) }},
			"more in a window":   {nil, engine.ErrMultipleResults, engine.ErrMultipleResults, func() proxy.AsyncResult { return skip(upTo(6)) }},
			"closed by the user": {engine.ErrClosed, engine.ErrClosed, engine.ErrClosed, func() proxy.AsyncResult { s := skip(upTo(3)); s.Close(t.Context()); return s }},
			"zero":               {engine.ErrClosed, engine.ErrClosed, engine.ErrClosed, func() proxy.AsyncResult { return proxy.AsyncResult{} }},
		} {
			some := name != "none"
			if v, err := c.rows().First(t.Context()).Await(t.Context()); !errors.Is(err, c.first) || err == nil && v.OK != some {
				t.Errorf("first of %s: %v, %v", name, v.OK, err)
			}
			if v, err := c.rows().One(t.Context()).Await(t.Context()); !errors.Is(err, c.one) || err == nil && v.Len() != 1 {
				t.Errorf("one of %s: %v", name, err)
			}
			if v, err := c.rows().OneOrNone(t.Context()).Await(t.Context()); !errors.Is(err, c.optional) || err == nil && v.OK != some {
				t.Errorf("one or none of %s: %v, %v", name, v.OK, err)
			}
			if n := count(t, ex); n != 30 {
				t.Errorf("%d items after %s", n, name)
			}
		}
	})
}

func TestAStreamIsReadAsWhatIsWanted(t *testing.T) {
	t.Parallel()
	type item struct {
		ID   int
		Name string
	}
	onEachExecutor(t, func(t *testing.T, ex proxy.AsyncExecutor) {
		rows := func() proxy.AsyncResult {
			return must(t, ex.Stream(t.Context(), engine.Text("SELECT id, name FROM item WHERE id < 4 ORDER BY id"), engine.WithWindow(2)))
		}
		same := func(what string, got any, want ...any) {
			t.Helper()
			if fmt.Sprintf("%v", got) != fmt.Sprintf("%v", want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		same("scalars", must(t, rows().Scalars().All(t.Context())), 1, 2, 3)
		same("mappings", must(t, rows().Mappings().FetchMany(t.Context(), 4)), "map[id:1 name:item]", "map[id:2 name:item]", "map[id:3 name:item]")
		same("structs", must(t, proxy.StreamAs[item](rows()).All(t.Context())), item{1, "item"}, item{2, "item"}, item{3, "item"})
		same("unique", must(t, proxy.StreamScalarsAs[string](rows(), 1).Unique().All(t.Context())), "item")
		same("columns", must(t, rows().Columns("name", "id").Scalars().All(t.Context())), "item", "item", "item")
		scalars := must(t, ex.StreamScalars(t.Context(), engine.Text(allIDs)))
		same("scalars from the start", []any{must(t, scalars.First(t.Context())).Value}, 1)

		// A read that fails ends the stream.
		if _, err := rows().Columns("price").FetchOne(t.Context()).Await(t.Context()); err == nil {
			t.Error("a column that is not there")
		}
		if _, err := proxy.StreamAs[[]int](rows()).All(t.Context()).Await(t.Context()); err == nil {
			t.Error("rows that do not fit")
		}
		fine := rows()
		if _, err := fine.FetchMany(t.Context(), 0).Await(t.Context()); err == nil {
			t.Error("no number of rows")
		}
		same("after that", must(t, fine.Scalars().All(t.Context())), 1, 2, 3)
		if _, err := ex.Stream(t.Context(), engine.Text(allIDs), engine.WithWindow(0)).Await(t.Context()); err == nil {
			t.Error("no window")
		}
	})
}

// explosive is a value that can't be read.
type explosive struct{}

// Scan implements [database/sql.Scanner].
func (*explosive) Scan(any) error { panic("no value for you") }

func TestAPanicInAReadEndsTheStream(t *testing.T) {
	t.Parallel()
	onEachExecutor(t, func(t *testing.T, ex proxy.AsyncExecutor) {
		s := proxy.StreamAs[explosive](stream(t, ex, 5))
		var p *proxy.PanicError
		if _, err := s.FetchOne(t.Context()).Await(t.Context()); !errors.As(err, &p) {
			t.Error(err)
		}
		if n := count(t, ex); n != 30 {
			t.Error(n)
		}
	})
}

// TestAStreamIsNotReadAhead counts, by a sequence, the rows that the server has
// made. Only PostgreSQL makes them as they are fetched.
func TestAStreamIsNotReadAhead(t *testing.T) {
	t.Parallel()
	eng := stocked(t, databases["postgres"](t))
	must(t, eng.Execute(t.Context(), engine.Text("CREATE SEQUENCE made")))
	conn := connect(t, eng)
	s := must(t, conn.StreamScalars(t.Context(), engine.Text("SELECT nextval('made') FROM generate_series(1, 1000)"), engine.WithWindow(10)))
	made := func() int64 {
		return must(t, eng.Scalar(t.Context(), engine.Text("SELECT last_value FROM made"))).(int64)
	}
	n := 0
	for v, err := range s.Iter(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if window := (int64(n) + 9) / 10 * 10; v != int64(n) || made() != window {
			t.Fatalf("row %d is %v, and %d were made", n, v, made())
		}
		if n == 35 {
			break
		}
	}
	must(t, s.FetchMany(t.Context(), 5))
	if made() != 40 {
		t.Errorf("%d rows were made for 40", made())
	}
	ok(t, s.Close(t.Context()))
	if v := must(t, conn.Scalar(t.Context(), engine.Text("SELECT 7"))); v != int64(7) {
		t.Error(v)
	}
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		// What nobody was handed, what nobody reads, and what is being read.
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			dropped := eng.Stream(ctx, engine.Text(allIDs), engine.WithWindow(5))
			s := must(t, eng.Stream(ctx, engine.Text(allIDs), engine.WithWindow(5)))
			go cancel()
			var err error
			for err == nil {
				var row proxy.Optional[engine.Row]
				if row, err = s.FetchOne(t.Context()).Await(t.Context()); err == nil && !row.OK {
					break
				}
			}
			if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, engine.ErrClosed) {
				t.Error(err)
			}
			<-ctx.Done()
			<-dropped.Done()
		}
		for eng.Sync().Stats().InUse != 0 { // if it stays, the test does
			ok(t, eng.Ping(t.Context()))
		}
	})
}

// slow is a statement whose fifth row takes long. MariaDB sends the rows before
// it when there is more than its buffer holds. SQLite is slow without much ado.
func slow(eng *proxy.AsyncEngine) engine.Statement {
	filler, more := "''", ", item e"
	switch eng.Dialect().System {
	case sessionproxy.MariaDB:
		filler = "REPEAT('x', 100000)"
	case sessionproxy.SQLite:
		more = ""
	}
	return engine.Text("SELECT a.id, " + filler + " FROM item a WHERE a.id < 5 OR (SELECT count(*) FROM item b, item c, item d" +
		more + " WHERE b.id + c.id + d.id + a.id > 0) = 0")
}

// giveUp is what reading a tiring value of 3 does.
var giveUp func()

// tiring is a value whose reading is seen.
type tiring struct{}

// Scan implements [database/sql.Scanner].
func (*tiring) Scan(v any) error {
	if fmt.Sprint(v) == "3" {
		giveUp()
	}
	return nil
}

func TestAReadThatIsGivenUpEndsTheStream(t *testing.T) {
	errTired := errors.New("tired of waiting")
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			eng := stocked(t, url(t))
			s := must(t, eng.Stream(t.Context(), slow(eng), engine.WithWindow(2)))
			ctx, cancel := context.WithCancelCause(t.Context())
			giveUp = func() { cancel(errTired) } // in the midst of the read
			_, err := proxy.StreamScalarsAs[tiring](s, 0).All(ctx).Await(t.Context())
			// SQLite looks at the context between rows: here it finds the end.
			if whole := err == nil && eng.Dialect().System == sessionproxy.SQLite; !whole && !errors.Is(err, errTired) {
				t.Error(err)
			}
			ok(t, s.Close(t.Context()))
			if n := count(t, eng); n != 30 {
				t.Error(n)
			}
		})
	}
}
