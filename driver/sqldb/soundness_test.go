package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// chains are those through which a pool has to stay sound.
func chains() map[string]sp.Chain {
	return map[string]sp.Chain{"empty": {}, "off": sp.NewChain(drowsy{&recorder{}}), "chain": sp.NewChain(&recorder{})}
}

// mortalConn has no Validator, and answers driver.ErrBadConn once it is dead.
type mortalConn struct {
	*minimalConn
	dead *bool
}

func (c mortalConn) died() error {
	if *c.dead {
		return driver.ErrBadConn
	}
	return nil
}

func (c mortalConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), c.died()
}

func (c mortalConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &minimalRows{log: c.log}, c.died()
}

func (c mortalConn) Prepare(q string) (driver.Stmt, error) {
	return &minimalStmt{log: c.log, query: q, err: c.died()}, nil
}

func (c mortalConn) Begin() (driver.Tx, error) { return mortalTx{c}, nil }

type mortalTx struct{ c mortalConn }

func (t mortalTx) Commit() error   { return t.c.died() }
func (t mortalTx) Rollback() error { return t.c.died() }

func TestADeadConnectionLeavesThePool(t *testing.T) {
	t.Parallel()
	uses := map[string]func(context.Context, *sql.DB) error{
		"exec": func(ctx context.Context, db *sql.DB) error { _, err := db.ExecContext(ctx, "update"); return err },
		"query": func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "insert returning")
			if err != nil {
				return err
			}
			return errors.Join(rows.Err(), rows.Close())
		},
		"statement": func(ctx context.Context, db *sql.DB) error {
			stmt, err := db.PrepareContext(ctx, "update")
			if err != nil {
				return err
			}
			_, err = stmt.ExecContext(ctx)
			return errors.Join(err, stmt.Close())
		},
		"commit": func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return tx.Commit()
		},
		"rollback": func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return tx.Rollback()
		},
	}
	for name, chain := range chains() {
		for use, do := range uses {
			t.Run(name+"/"+use, func(t *testing.T) {
				t.Parallel()
				var dead []*bool
				log := &journal{}
				db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
					dead = append(dead, new(bool))
					return mortalConn{&minimalConn{log: log}, dead[len(dead)-1]}, nil
				}}, chain)
				defer db.Close()
				db.SetMaxOpenConns(1)
				if err := do(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				*dead[0] = true
				_ = do(t.Context(), db) // it may be sent, so it may fail
				if err := do(t.Context(), db); err != nil || len(dead) != 2 {
					t.Errorf("after the death of a connection: %v, %d opened; want none and 2", err, len(dead))
				}
			})
		}
	}
}

// firstPanics panics in the first statement of each connection.
type firstPanics struct {
	*minimalConn
	used *bool
}

func (c firstPanics) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	if !*c.used {
		*c.used = true
		panic("in the driver")
	}
	return driver.RowsAffected(1), nil
}

// recovers makes an error of a panic, as a middleware may.
var recovers = sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = errRefused
			}
		}()
		return next(ctx, call)
	}
})

func TestASuccessDoesNotHealAConnectionWhoseDriverPanicked(t *testing.T) {
	t.Parallel()
	db, _, log := openWith(t, func(log *journal) driver.Conn { return firstPanics{&minimalConn{log: log}, new(bool)} }, recovers)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "one"); !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if log.count("close") != 1 {
		t.Errorf("driver saw %v; want the connection closed", log.all())
	}
}

// panickyRows panic where they are told to.
type panickyRows struct{ in string }

func (panickyRows) Columns() []string { return []string{"n"} }

func (r panickyRows) Next([]driver.Value) error {
	if r.in == "Next" {
		panic("in the driver")
	}
	return io.EOF
}

func (r panickyRows) Close() error {
	if r.in == "Close" {
		panic("in the driver")
	}
	return nil
}

type panickyRowsConn struct {
	*minimalConn
	in string
}

func (c panickyRowsConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return panickyRows{c.in}, nil
}

func TestAPanicInTheRowsFinishesTheCall(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"Next", "Close"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			db, rec, log := openWith(t, func(log *journal) driver.Conn { return panickyRowsConn{&minimalConn{log: log}, in} })
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic did not pass")
					}
				}()
				rows, err := db.QueryContext(t.Context(), "select")
				if err != nil {
					t.Fatal(err)
				}
				defer rows.Close()
				for rows.Next() {
				}
				if err := rows.Err(); err != nil {
					t.Error(err)
				}
			}()
			if n := rec.finishes(); n != 2 { // the connect, and the query
				t.Errorf("%d calls finished, want 2", n)
			}
			if in == "Close" && !errors.Is(rec.finished[1], sp.ErrAborted) {
				t.Errorf("the call finished with %v, want ErrAborted", rec.finished[1])
			}
			if in == "Next" && log.count("close") != 1 { // database/sql itself loses one whose Close panics
				t.Errorf("driver saw %v; want the connection closed", log.all())
			}
		})
	}
}

// askedConn counts how often it is asked whether it is valid.
type askedConn struct {
	*minimalConn
	asked *int
}

func (c askedConn) IsValid() bool { *c.asked++; return true }

func (c askedConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

func TestADriverIsAskedWhetherItIsValidAsDatabaseSQLAsks(t *testing.T) {
	t.Parallel()
	count := func(open func(driver.Connector) *sql.DB) []int {
		asked := 0
		db := open(connectorFor{func() (driver.Conn, error) { return askedConn{&minimalConn{log: &journal{}}, &asked}, nil }})
		defer db.Close()
		ctx := context.Background()
		var counts []int
		for _, use := range []func() error{
			func() error { _, err := db.ExecContext(ctx, "insert"); return err },
			func() error {
				_, err := db.ExecContext(ctx, "call what() -- leaves it open whether it began a transaction")
				return err
			},
			func() error {
				tx, err := db.BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				_, err = tx.ExecContext(ctx, "insert")
				_, again := tx.ExecContext(ctx, "insert")
				return errors.Join(err, again, tx.Commit())
			},
			func() error {
				stmt, err := db.PrepareContext(ctx, "insert")
				if err != nil {
					return err
				}
				_, err = stmt.ExecContext(ctx)
				return errors.Join(err, stmt.Close())
			},
			func() error { return db.PingContext(ctx) },
		} {
			asked = 0
			if err := use(); err != nil {
				t.Fatal(err)
			}
			counts = append(counts, asked)
		}
		return counts
	}
	want := count(sql.OpenDB)
	for name, chain := range chains() {
		if got := count(func(c driver.Connector) *sql.DB { return sqldb.OpenDB(c, chain) }); !slices.Equal(got, want) {
			t.Errorf("%s: asked %v times, database/sql alone %v", name, got, want)
		}
	}
}

// unpreparableConn asks for statements to be prepared, and is dead then.
type unpreparableConn struct {
	skippingConn
	dead bool
}

func (c unpreparableConn) Prepare(q string) (driver.Stmt, error) {
	if c.dead {
		return nil, driver.ErrBadConn
	}
	return c.skippingConn.Prepare(q)
}

func TestNothingIsSentBeforeASkippedStatementIsPrepared(t *testing.T) {
	t.Parallel()
	for name, chain := range chains() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, opened := &journal{}, 0
			db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
				opened++
				return unpreparableConn{skippingConn{&minimalConn{log: log}}, opened < 3}, nil
			}}, chain)
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), "insert", 1); err != nil {
				t.Errorf("exec: %v", err)
			}
			opened = 1
			db.SetMaxIdleConns(-1)
			var n int
			if err := db.QueryRowContext(t.Context(), "insert returning", 1).Scan(&n); err != nil || n != 1 {
				t.Errorf("query: %d, %v", n, err)
			}
		})
	}
}

// hangingUpConn answers as lib/pq does when its caller gives up.
type hangingUpConn struct {
	*minimalConn
	cancel func()
}

func (c hangingUpConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	c.cancel()
	return nil, fmt.Errorf("read: %w", driver.ErrBadConn)
}

func TestALostConnectionOfACallerThatGaveUpIsItsContextsError(t *testing.T) {
	t.Parallel()
	for name, chain := range chains() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
				return hangingUpConn{&minimalConn{log: &journal{}}, cancel}, nil
			}}, chain)
			defer db.Close()
			err := db.QueryRowContext(ctx, "insert returning").Scan(new(int))
			if !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrBadConn) {
				t.Errorf("error %v; want the context's, and not driver.ErrBadConn", err)
			}
		})
	}
}

// dialError is an error that callers tell by its type.
type dialError struct{ text string }

func (e *dialError) Error() string { return e.text }

func TestAConnectErrorIsTheDriversOwn(t *testing.T) {
	t.Parallel()
	for name, chain := range chains() {
		want := &dialError{"no such database"}
		db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) { return nil, want }}, chain)
		if err := db.PingContext(t.Context()); err != error(want) {
			t.Errorf("%s: %#v, want the driver's own error", name, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// leaky is a driver whose connect error shows the data source name.
type leaky struct{}

func (leaky) Open(dsn string) (driver.Conn, error) { return nil, &dialError{"can't reach " + dsn} }

func TestAConnectErrorWithAPasswordIsReplaced(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("leaky-connect", "user:hunter2@db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.PingContext(t.Context())
	if _, ok := errors.AsType[*dialError](err); ok || err == nil || err.Error() != "can't reach user:xxxxx@db" {
		t.Errorf("error %#v", err)
	}
}
