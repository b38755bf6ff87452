package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/georgysavva/scany/v2/pgxscan"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
)

// chains are the two ways a pool may be built: bypassed, and with everything.
func chains(w *watch) map[string][]sp.Interceptor {
	return map[string][]sp.Interceptor{"empty chain": nil, "full chain": fullChain(w)}
}

// onBoth runs a test on a pool of one connection with an empty and with a full
// chain.
func onBoth(t *testing.T, test func(t *testing.T, pool *pgxdb.Pool), change ...func(*pgxpool.Config)) {
	t.Helper()
	w := &watch{}
	for name, chain := range chains(w) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := freshPGX(t, chain, append([]func(*pgxpool.Config){size(1)}, change...)...)
			test(t, pool)
			if n := w.open(); n != 0 && chain != nil {
				t.Errorf("%d calls were never finished", n)
			}
		})
	}
}

type measurement struct {
	ID    int64
	Label *string
	At    time.Time
	Tags  []string
	Extra map[string]any
}

// queryMeasurement reads what it sends: every mode has to encode and decode it.
const queryMeasurement = "SELECT $1::bigint AS id, $2::text AS label, $3::timestamptz AS at, $4::text[] AS tags, $5::jsonb AS extra"

func TestEveryExecModeOfPGXWorks(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, pool *pgxdb.Pool) {
				label := "o'clock"
				want := measurement{7, &label, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), []string{"a", `"b"`}, map[string]any{"k": "v"}}
				// Of the pool's configuration, and of the query's first argument.
				for _, first := range [][]any{nil, {mode}} {
					for range 3 {
						rows, err := pool.Query(t.Context(), queryMeasurement,
							append(slices.Clone(first), want.ID, label, want.At, want.Tags, json.RawMessage(`{"k": "v"}`))...)
						if err != nil {
							t.Fatal(err)
						}
						got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[measurement])
						if err != nil {
							t.Fatal(err)
						}
						got.At = got.At.UTC()
						if fmt.Sprint(got.ID, *got.Label, got.At, got.Tags, got.Extra) != fmt.Sprint(want.ID, label, want.At, want.Tags, want.Extra) {
							t.Errorf("got %+v, want %+v", got, want)
						}
					}
				}
				// The server tells what was prepared.
				cached := pgxScalar[int](t, pool, "SELECT count(*) FROM pg_prepared_statements WHERE statement = '"+queryMeasurement+"'", pgx.QueryExecModeSimpleProtocol)
				if want := map[bool]int{true: 1}[mode == pgx.QueryExecModeCacheStatement]; cached != want {
					t.Errorf("%d statements are prepared, want %d", cached, want)
				}
			}, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
		})
	}
}

func TestExplicitlyPreparedStatementsRun(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, pool *pgxdb.Pool) {
		ctx := t.Context()
		c, err := pool.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		description, err := c.Prepare(ctx, "double", "SELECT $1::int * 2")
		if err != nil || len(description.ParamOIDs) != 1 {
			t.Fatalf("%v, error %v", description, err)
		}
		if got := pgxScalar[int](t, c, "double", 21); got != 42 {
			t.Errorf("%d", got)
		}
		if err := c.Deallocate(ctx, "double"); err != nil {
			t.Fatal(err)
		}
		if n := pgxScalar[int](t, c, "SELECT count(*) FROM pg_prepared_statements WHERE name = 'double'"); n != 0 {
			t.Errorf("%d prepared statements afterwards", n)
		}
	})
}

type color string

type point struct{ X, Y int32 }

// TestTypesRegisteredAfterConnectAreKnown registers an enumerated and a
// composite type on each connection, as pgx's documentation says.
func TestTypesRegisteredAfterConnectAreKnown(t *testing.T) {
	t.Parallel()
	register := func(c *pgxpool.Config) {
		c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			if _, err := conn.Exec(ctx, `DO $$ BEGIN
				CREATE TYPE color AS ENUM ('red', 'green');
				CREATE TYPE point2 AS (x int, y int);
				EXCEPTION WHEN duplicate_object THEN NULL; END $$`); err != nil {
				return err
			}
			types, err := conn.LoadTypes(ctx, []string{"color", "_color", "point2", "_point2"})
			conn.TypeMap().RegisterTypes(types)
			return err
		}
	}
	onBoth(t, func(t *testing.T, pool *pgxdb.Pool) {
		var colors []color
		var points []point
		err := pool.QueryRow(t.Context(), "SELECT $1::color[], $2::point2[]", []color{"red", "green"}, []point{{1, 2}, {3, 4}}).Scan(&colors, &points)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(colors, []color{"red", "green"}) || !slices.Equal(points, []point{{1, 2}, {3, 4}}) {
			t.Errorf("%v, %v", colors, points)
		}
	}, register)
}

type account struct {
	ID      int64
	Owner   string
	Balance *int64
}

// TestHelpersOfPGXTakeThePool runs pgx's own helpers and scany's on the pool,
// a connection and a transaction.
func TestHelpersOfPGXTakeThePool(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, pool *pgxdb.Pool) {
		ctx := t.Context()
		pgxExec(t, pool, "CREATE TABLE accounts (id bigint, owner text, balance bigint)", "INSERT INTO accounts VALUES (1, 'ada', 10), (2, 'grace', NULL)")
		t.Run("pool", func(t *testing.T) { useHelpers(t, pool) })
		err := pool.AcquireFunc(ctx, func(c *pgxdb.PoolConn) error {
			t.Run("connection", func(t *testing.T) { useHelpers(t, c) })
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		err = pool.RunInTx(ctx, pgx.TxOptions{}, func(_ context.Context, tx pgx.Tx) error {
			t.Run("transaction", func(t *testing.T) { useHelpers(t, tx) })
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// querier is what helpers ask for.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const selectAccounts = "SELECT id, owner, balance FROM accounts ORDER BY id"

func useHelpers(t *testing.T, db querier) {
	t.Helper()
	ctx := context.Background()
	check := func(what string, got []account, err error) {
		t.Helper()
		if err != nil || len(got) != 2 || got[0].Owner != "ada" || *got[0].Balance != 10 || got[1].Balance != nil {
			t.Errorf("%s: %+v, error %v", what, got, err)
		}
	}
	query := func(sql string, args ...any) pgx.Rows { return must(db.Query(ctx, sql, args...)) }

	got, err := pgx.CollectRows(query(selectAccounts), pgx.RowToStructByName[account])
	check("RowToStructByName", got, err)
	got, err = pgx.CollectRows(query(selectAccounts), pgx.RowToStructByPos[account])
	check("RowToStructByPos", got, err)
	pointers, err := pgx.CollectRows(query(selectAccounts), pgx.RowToAddrOfStructByNameLax[account])
	if err != nil || len(pointers) != 2 || pointers[1].Owner != "grace" {
		t.Errorf("RowToAddrOfStructByNameLax: %v, error %v", pointers, err)
	}
	maps, err := pgx.CollectRows(query(selectAccounts), pgx.RowToMap)
	if err != nil || len(maps) != 2 || maps[1]["owner"] != "grace" || maps[1]["balance"] != nil {
		t.Errorf("RowToMap: %v, error %v", maps, err)
	}
	names, err := pgx.CollectRows(query("SELECT owner FROM accounts WHERE id = @id", pgx.NamedArgs{"id": 2}), pgx.RowTo[string])
	if err != nil || !slices.Equal(names, []string{"grace"}) {
		t.Errorf("NamedArgs: %v, error %v", names, err)
	}
	if _, err := pgx.CollectOneRow(query("SELECT owner FROM accounts WHERE id = 9"), pgx.RowTo[string]); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("CollectOneRow of none: %v", err)
	}
	if _, err := pgx.CollectExactlyOneRow(query(selectAccounts), pgx.RowToMap); !errors.Is(err, pgx.ErrTooManyRows) {
		t.Errorf("CollectExactlyOneRow of two: %v", err)
	}
	var id, sum int64
	tag, err := pgx.ForEachRow(query("SELECT id FROM accounts"), []any{&id}, func() error {
		sum += id
		return nil
	})
	if err != nil || sum != 3 || tag.RowsAffected() != 2 {
		t.Errorf("ForEachRow: %s, sum %d, error %v", tag, sum, err)
	}
	stopped := errors.New("stopped")
	if _, err := pgx.ForEachRow(query(selectAccounts), []any{nil, nil, nil}, func() error { return stopped }); !errors.Is(err, stopped) {
		t.Errorf("ForEachRow that is stopped: %v", err)
	}

	got = nil
	err = pgxscan.Select(ctx, db, &got, selectAccounts)
	check("scany's Select", got, err)
	var one account
	if err := pgxscan.Get(ctx, db, &one, selectAccounts+" LIMIT 1"); err != nil || one.Owner != "ada" {
		t.Errorf("scany's Get: %+v, error %v", one, err)
	}
	if err := pgxscan.Get(ctx, db, &one, "SELECT id, owner, balance FROM accounts WHERE id = 9"); !pgxscan.NotFound(err) {
		t.Errorf("scany's Get of none: %v", err)
	}
}

// TestErrorsOfPGXReachTheCaller holds that what callers branch on is there,
// from rows, from a row, and from a statement.
func TestErrorsOfPGXReachTheCaller(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, pool *pgxdb.Pool) {
		ctx := t.Context()
		_, execErr := pool.Exec(ctx, "SELECT 1/$1::int", 0)
		rowErr := pool.QueryRow(ctx, "SELECT 1/$1::int", 0).Scan(new(int))
		rows, queryErr := pool.Query(ctx, "SELECT 1/$1::int", 0)
		if queryErr == nil {
			rows.Close()
			queryErr = rows.Err()
		}
		lateRows, _ := pool.Query(ctx, "SELECT 1/(3-n) FROM generate_series(1, 5) AS n")
		late, lateErr := pgx.CollectRows(lateRows, pgx.RowTo[int])
		for what, err := range map[string]error{"Exec": execErr, "QueryRow": rowErr, "Query": queryErr, "rows": lateErr} {
			if fault.Code(err) != "22012" {
				t.Errorf("%s: %v, want division by zero", what, err)
			}
		}
		if len(late) != 0 {
			t.Errorf("rows %v beside an error", late)
		}
		if err := pool.QueryRow(ctx, "SELECT 1 WHERE false").Scan(new(int)); !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("no rows: %v", err)
		}
		if got := pgxScalar[int](t, pool, "SELECT 1"); got != 1 {
			t.Errorf("afterwards: %d", got)
		}
	})
}

// TestUnwrapGivesWhatOnlyPGXHas waits for a notification and writes a large
// object.
func TestUnwrapGivesWhatOnlyPGXHas(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, pool *pgxdb.Pool) {
		ctx := t.Context()
		err := pool.AcquireFunc(ctx, func(c *pgxdb.PoolConn) error {
			pgxExec(t, c, "LISTEN news", "NOTIFY news, 'hello'")
			n, err := c.Unwrap().WaitForNotification(ctx)
			if err == nil && n.Payload != "hello" {
				t.Errorf("payload %q", n.Payload)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		err = pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			objects := tx.LargeObjects()
			oid, err := objects.Create(ctx, 0)
			if err != nil {
				return err
			}
			return objects.Unlink(ctx, oid)
		})
		if err != nil {
			t.Error(err)
		}
	})
}
