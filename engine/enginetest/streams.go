package enginetest

import (
	"context"
	"errors"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
)

const allIDs = "SELECT id FROM item ORDER BY id"

func testStream(t *testing.T, f *fixture) {
	f.items(25)
	for _, window := range []int{1, 7, 25, 1000} {
		s := must[*engine.Stream](t)(f.Stream(t.Context(), engine.Text("SELECT id FROM item WHERE id > ? ORDER BY id", 0), engine.WithWindow(window)))
		want(t, "keys", s.Keys(), []string{"id"})
		var got []int64
		for row, err := range s.Iter() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, ids(t, []engine.Row{row})...)
		}
		want(t, "rows", len(got), 25)
		want(t, "last", got[24], int64(25))
		want(t, "in use at the end", f.Stats().InUse, 0)
		if rows, err := s.All(); len(rows) != 0 || err != nil {
			t.Errorf("rows after the end: %d, %v", len(rows), err)
		}
		f.ok(s.Close())
		f.ok(s.Close())
		if _, _, err := s.FetchOne(); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("fetch after close: %v", err)
		}
	}
	s := must[*engine.Stream](t)(f.Stream(t.Context(), engine.Text(allIDs), engine.WithWindow(10)))
	var sizes []int
	for part, err := range s.Partitions(0) {
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(part))
	}
	want(t, "windows", sizes, []int{10, 10, 5})
	if _, err := f.Stream(t.Context(), engine.Text(allIDs), engine.WithWindow(0)); err == nil {
		t.Error("a window of 0 is no error")
	}
}

func testStreamStopsEarly(t *testing.T, f *fixture) {
	f.items(200)
	for range 3 {
		s := must[*engine.Stream](t)(f.Stream(t.Context(), engine.Text("SELECT a.id FROM item a CROSS JOIN item b"), engine.WithWindow(5)))
		want(t, "first rows", len(must[[]engine.Row](t)(s.FetchMany(7))), 7)
		f.ok(s.Close())
		want(t, "in use", f.Stats().InUse, 0)
	}
	s := must[*engine.Stream](t)(f.Stream(t.Context(), engine.Text(allIDs), engine.WithWindow(5)))
	row, ok, err := s.First()
	if err != nil || !ok || ids(t, []engine.Row{row})[0] != 1 {
		t.Errorf("first: %t, %v", ok, err)
	}
	want(t, "in use after First", f.Stats().InUse, 0)
	want(t, "rows", f.count(f), int64(200))
}

func testStreamHoldsConn(t *testing.T, f *fixture) {
	f.items(30)
	c := f.connect()
	s := must[*engine.Stream](t)(c.Stream(t.Context(), engine.Text(allIDs), engine.WithWindow(5)))
	if _, ok, err := s.FetchOne(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for name, use := range map[string]func() error{
		"execute": func() error { _, err := c.Execute(t.Context(), engine.Text("SELECT 1")); return err },
		"stream":  func() error { _, err := c.Stream(t.Context(), engine.Text("SELECT 1")); return err },
		"nested":  func() error { _, err := c.BeginNested(t.Context()); return err },
	} {
		if err := use(); !errors.Is(err, engine.ErrConnBusy) {
			t.Errorf("%s with an open stream: %v", name, err)
		}
	}
	f.ok(s.Close())
	want(t, "rows", f.count(c), int64(30))
}

func testStreamInTransaction(t *testing.T, f *fixture) {
	f.items(200)
	c := f.connect()
	insert(f, c, "new")
	s := must[*engine.Stream](t)(c.Stream(t.Context(), engine.Text("SELECT a.id FROM item a CROSS JOIN item b CROSS JOIN item c"), engine.WithWindow(5)))
	want(t, "first rows", len(must[[]engine.Row](t)(s.FetchMany(12))), 12)
	f.ok(s.Close())
	// The transaction survives the stopped stream, and so does what was written
	// before.
	want(t, "rows", f.count(c), int64(201))
	f.ok(c.Commit(t.Context()))
	f.end(c)
	want(t, "rows after the commit", f.count(f), int64(201))
}

func testStreamCancelled(t *testing.T, f *fixture) {
	f.items(200)
	ctx, cancel := context.WithCancel(t.Context())
	s := must[*engine.Stream](t)(f.Stream(ctx, engine.Text("SELECT a.id FROM item a CROSS JOIN item b CROSS JOIN item c"), engine.WithWindow(5)))
	if _, ok, err := s.FetchOne(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	cancel()
	var err error
	for err == nil { // what was read ahead is still there
		var ok bool
		if _, ok, err = s.FetchOne(); !ok && err == nil {
			t.Fatal("the stream came to its end")
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled stream: %v", err)
	}
	_ = s.Close() // may repeat the error
	want(t, "rows", f.count(f), int64(200))
	want(t, "in use", f.Stats().InUse, 0)
}

func testCursorOfEndedTx(t *testing.T, f *fixture) {
	f.items(30)
	c := f.connect()
	tx := must[*engine.Tx](t)(c.Begin(t.Context()))
	s := must[*engine.Stream](t)(tx.Stream(t.Context(), engine.Text(allIDs), engine.WithWindow(5)))
	if _, err := s.FetchMany(5); err != nil {
		t.Fatal(err)
	}
	f.ok(tx.Commit(t.Context()))
	if _, err := s.FetchMany(10); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a stream whose transaction has ended: %v", err)
	}
	cur := must[engine.Cursor](t)(c.Query(t.Context(), engine.Text(allIDs)))
	n := 0
	for cur.Next() {
		var id int64
		f.ok(cur.Scan(&id))
		n++
	}
	f.ok(cur.Err())
	f.ok(cur.Close())
	want(t, "rows of a cursor", n, 30)
}
