// Command table runs the comparison and prints it as Markdown tables: every
// subject in turn, several rounds, medians, and what each adds to raw
// database/sql or raw pgx in the same round.
//
//	go run -C bench ./cmd/table [-rounds 5] [-time 200ms] [-sqlite | -kit | -pgx | -pgxfake | -scan | -orm] [-only exec] [-subject tracing] [-heap 64]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/bench"
)

func main() {
	testing.Init()
	var c command
	flag.IntVar(&c.rounds, "rounds", 5, "rounds of every measurement, of which the median is printed")
	flag.StringVar(&c.length, "time", "200ms", "length of one measurement")
	sqlite := flag.Bool("sqlite", false, "measure database/sql on SQLite instead of a fake driver")
	kit := flag.Bool("kit", false, "measure each interceptor alone, and all of them, on a fake driver")
	pgx := flag.Bool("pgx", false, "measure pgx, on an in-process back end and on PostgreSQL")
	pgxfake := flag.Bool("pgxfake", false, "measure pgx on the in-process back end alone")
	scan := flag.Bool("scan", false, "measure reading rows into structs, on SQLite, an in-process back end and PostgreSQL")
	orm := flag.Bool("orm", false, "measure units of work, on SQLite and PostgreSQL")
	flag.StringVar(&c.only, "only", "", "measure the workloads whose name holds this text")
	flag.StringVar(&c.subject, "subject", "", "measure the raw subject and those whose name and provider match this expression")
	heap := flag.Int("heap", 64, "MiB that the program holds, as a service does: with less, the garbage collector runs all the time")
	flag.Parse()
	held := make([]byte, *heap<<20)
	defer runtime.KeepAlive(held)
	backends := []func() (backend, error){sqlBackend(*sqlite)}
	switch {
	case *kit:
		backends = []func() (backend, error){kitBackend}
	case *scan:
		backends = []func() (backend, error){
			scanBackend(bench.ScanSQLite), scanBackend(bench.ScanFakePGX), scanBackend(bench.ScanPGX),
		}
	case *orm:
		backends = []func() (backend, error){ormBackend(bench.OrmSQLite), ormBackend(bench.OrmPostgres)}
	case *pgxfake:
		backends = []func() (backend, error){pgxBackend(bench.FakePGX)}
	case *pgx:
		backends = []func() (backend, error){pgxBackend(bench.FakePGX), pgxBackend(func() (bench.PGXServer, error) {
			return bench.RealPGX(context.Background())
		})}
	}
	if err := c.run(backends); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// backend is what is measured on.
type backend struct {
	name   string
	tables []bench.Table
	close  func() error
	growth func(ctx context.Context, n int) (bench.OrmGrowth, error) // nil: none
}

func sqlBackend(sqlite bool) func() (backend, error) {
	return func() (backend, error) {
		connect, loads, name := bench.FakeConnector, bench.Workloads, "an in-memory driver"
		if sqlite {
			connect, loads, name = bench.SQLiteConnector, bench.SQLiteWorkloads, "SQLite"
		}
		return backend{name: name, tables: bench.SQLTables(bench.Subjects(), connect, loads), close: func() error { return nil }}, nil
	}
}

func kitBackend() (backend, error) {
	return backend{
		name:   "an in-memory driver",
		tables: bench.SQLTables(bench.KitSubjects(), bench.FakeConnector, bench.KitWorkloads),
		close:  func() error { return nil },
	}, nil
}

func pgxBackend(start func() (bench.PGXServer, error)) func() (backend, error) {
	return func() (backend, error) {
		server, err := start()
		if err != nil {
			return backend{}, err
		}
		tables, closePools := bench.PGXTables(context.Background(), server)
		return backend{name: server.Name, tables: tables, close: func() error {
			closePools()
			return server.Close()
		}}, nil
	}
}

func scanBackend(start func(ctx context.Context) (bench.ScanBackend, error)) func() (backend, error) {
	return func() (backend, error) {
		b, err := start(context.Background())
		return backend{name: b.Name, tables: b.Tables(), close: b.Close}, err
	}
}

func ormBackend(start func(ctx context.Context) (bench.OrmBackend, error)) func() (backend, error) {
	return func() (backend, error) {
		b, err := start(context.Background())
		return backend{b.Name, b.Tables(), b.Close, b.Growth}, err
	}
}

// command is what the flags say.
type command struct {
	rounds                int
	length, only, subject string
}

func (c command) run(backends []func() (backend, error)) error {
	match, err := regexp.Compile(c.subject)
	if err != nil {
		return fmt.Errorf("-subject: %w", err)
	}
	if c.rounds < 1 {
		return fmt.Errorf("-rounds %d: at least one round is needed", c.rounds)
	}
	if err := flag.Set("test.benchtime", c.length); err != nil {
		return fmt.Errorf("-time %s: %w", c.length, err)
	}
	for _, open := range backends {
		b, err := open()
		if err != nil {
			return err
		}
		err = c.measure(b, match)
		if closing := b.close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c command) measure(b backend, match *regexp.Regexp) error {
	fmt.Printf("%s, %s/%s, %d CPUs; on %s; medians of %d rounds of %s, subjects in turn\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.name, c.rounds, c.length)
	for _, t := range b.tables {
		if !strings.Contains(t.Name, c.only) {
			continue
		}
		t.Cases = matching(t, match)
		results, err := rounds(t, c.rounds)
		if err != nil {
			return err
		}
		show(t, results)
	}
	if b.growth != nil && strings.Contains(growthName, c.only) {
		return showGrowth(b.growth, c.rounds)
	}
	return nil
}

// matching returns the cases to measure, the raw ones first.
func matching(t bench.Table, match *regexp.Regexp) []bench.Case {
	hand := max(t.Hand, 1)
	out := t.Cases[:hand:hand]
	for _, c := range t.Cases[hand:] {
		if match.MatchString(c.Subject + " " + string(c.State)) {
			out = append(out, c)
		}
	}
	return out
}
