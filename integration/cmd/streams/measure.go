package main

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// source is a database and a statement that makes rows out of nothing.
type source struct {
	database string
	url      func(ctx context.Context) (url string, giveBack func() error, err error)
	text     string
}

var sources = []source{
	{"SQLite", nowhere, "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < ?) SELECT n AS id, 'a name of some length ' || n AS name, n * 0.5 AS price FROM g"},
	{"MariaDB", borrow(dbtest.KindMariaDB), "SELECT seq AS id, concat('a name of some length ', seq) AS name, seq * 0.5e0 AS price FROM seq_1_to_100000000 LIMIT ?"},
	{"PostgreSQL", borrow(dbtest.KindPostgres), "SELECT n AS id, 'a name of some length ' || n AS name, n * 0.5::float8 AS price FROM generate_series(1, ?::bigint) AS n"},
}

func nowhere(context.Context) (string, func() error, error) {
	return "sqlite::memory:", func() error { return nil }, nil
}

func borrow(kind dbtest.Kind) func(ctx context.Context) (string, func() error, error) {
	return func(ctx context.Context) (string, func() error, error) {
		db, giveBack, err := dbtest.Borrow(ctx, kind)
		if err != nil {
			return "", nil, err
		}
		return db.URL(), giveBack, nil
	}
}

// measurement is what one reading of a source gave.
type measurement struct {
	database, readAs string
	rows             int
	heap             uint64        // in use at most, above the start
	took             time.Duration // for all rows
	stop             time.Duration // to stop after the first rows
}

// item is what rows are read into.
type item struct {
	ID    int64
	Name  string
	Price float64
}

// measure reads the source in each way and reports it.
func (s source) measure(ctx context.Context, rows int, report func(measurement)) (err error) {
	url, giveBack, err := s.url(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if berr := giveBack(); err == nil {
			err = berr
		}
	}()
	eng, err := engine.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() {
		if derr := eng.Dispose(); err == nil {
			err = derr
		}
	}()
	st := engine.Text(s.text, rows)
	for _, way := range []struct {
		name string
		open func(stream *engine.Stream) iter.Seq[error]
	}{
		{"rows", func(stream *engine.Stream) iter.Seq[error] { return errorsOf(stream.Iter()) }},
		{"structs", func(stream *engine.Stream) iter.Seq[error] { return errorsOf(engine.As[item](stream).Iter()) }},
	} {
		m, err := read(ctx, eng, st, rows, way.open)
		if err != nil {
			return err
		}
		m.database, m.readAs = s.database, way.name
		report(m)
	}
	return nil
}

// errorsOf drops the values of an iterator.
func errorsOf[T any](seq iter.Seq2[T, error]) iter.Seq[error] {
	return func(yield func(error) bool) {
		for _, err := range seq {
			if !yield(err) {
				return
			}
		}
	}
}

// read reads all rows, and then a few.
func read(ctx context.Context, eng *engine.Engine, st engine.Statement, rows int, open func(*engine.Stream) iter.Seq[error]) (m measurement, err error) {
	start := heap(true)
	began := time.Now()
	stream, err := eng.Stream(ctx, st)
	if err != nil {
		return m, err
	}
	for err := range open(stream) {
		if err != nil {
			return m, err
		}
		if m.rows++; m.rows%10_000 == 0 {
			if now := heap(false); now > start {
				m.heap = max(m.heap, now-start)
			}
		}
	}
	m.took = time.Since(began)
	if err := stream.Close(); err != nil {
		return m, err
	}
	if m.rows != rows {
		return m, fmt.Errorf("%d rows, want %d", m.rows, rows)
	}
	m.stop, err = stop(ctx, eng, st)
	return m, err
}

// stop opens a stream, reads a few rows and measures how long Close takes.
func stop(ctx context.Context, eng *engine.Engine, st engine.Statement) (time.Duration, error) {
	stream, err := eng.Stream(ctx, st)
	if err != nil {
		return 0, err
	}
	if _, err := stream.FetchMany(1500); err != nil {
		return 0, err
	}
	began := time.Now()
	err = stream.Close()
	return time.Since(began), err
}

// heap returns the bytes of the heap that are in use, freed of garbage first
// if that is asked for.
func heap(collected bool) uint64 {
	if collected {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse
}
