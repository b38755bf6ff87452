package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// What a driver offers survives, and what it lacks is not pretended. Each test
// is a defect that sqlmw or one of the otelsql libraries has.

func plain(log *journal) driver.Conn { return &minimalConn{log: log} }

func TestADriverWithoutExecerKeepsWorking(t *testing.T) {
	t.Parallel()
	through(t, plain, func(t *testing.T, db *sql.DB, log *journal) {
		if _, err := db.ExecContext(t.Context(), "insert", 7); err != nil {
			t.Fatal(err)
		}
		rows, err := db.QueryContext(t.Context(), "select")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []int64
		for rows.Next() {
			var n int64
			if err := rows.Scan(&n); err != nil {
				t.Fatal(err)
			}
			got = append(got, n)
		}
		if rows.Err() != nil || !slices.Equal(got, []int64{1, 2, 3}) {
			t.Errorf("rows %v, error %v", got, rows.Err())
		}
		want := []string{"prepare insert", "exec insert [7]", "close stmt", "prepare select", "query select []", "close rows", "close stmt"}
		if !slices.Equal(log.all(), want) {
			t.Errorf("driver saw %v, want %v", log.all(), want)
		}
		if err := db.PingContext(t.Context()); err != nil {
			t.Errorf("ping of a driver without Pinger: %v", err)
		}
	})
}

func TestUnsupportedTransactionOptionsAreRefused(t *testing.T) {
	t.Parallel()
	through(t, plain, func(t *testing.T, db *sql.DB, log *journal) {
		for _, opts := range []sql.TxOptions{{Isolation: sql.LevelSerializable}, {ReadOnly: true}} {
			if tx, err := db.BeginTx(t.Context(), &opts); err == nil {
				_ = tx.Rollback()
				t.Errorf("options %+v were dropped in silence", opts)
			}
		}
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if want := []string{"begin", "commit"}; !slices.Equal(log.all(), want) {
			t.Errorf("driver saw %v, want %v", log.all(), want)
		}
	})
}

type legacyConn struct{ *minimalConn }

func (c legacyConn) Exec(query string, args []driver.Value) (driver.Result, error) {
	c.log.add("direct exec %s %v", query, args)
	return driver.RowsAffected(1), nil
}

func (c legacyConn) Query(query string, args []driver.Value) (driver.Rows, error) {
	c.log.add("direct query %s %v", query, args)
	return &minimalRows{log: c.log}, nil
}

func TestTheLegacyExecerIsUsed(t *testing.T) {
	t.Parallel()
	through(t, func(log *journal) driver.Conn { return legacyConn{&minimalConn{log: log}} }, func(t *testing.T, db *sql.DB, log *journal) {
		if _, err := db.ExecContext(t.Context(), "insert", 7); err != nil {
			t.Fatal(err)
		}
		rows, err := db.QueryContext(t.Context(), "select")
		if err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if want := []string{"direct exec insert [7]", "direct query select []", "close rows"}; !slices.Equal(log.all(), want) {
			t.Errorf("driver saw %v, want %v", log.all(), want)
		}
		if _, err := db.ExecContext(t.Context(), "insert", sql.Named("n", 7)); err == nil {
			t.Error("named arguments reached a driver that has none")
		}
	})
}

// skippingConn asks for every statement to be prepared, as go-sql-driver does
// for one with arguments.
type skippingConn struct{ *minimalConn }

func (c skippingConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, driver.ErrSkip
}

func (c skippingConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return nil, driver.ErrSkip
}

func TestErrSkipIsNoFailureAndOneCall(t *testing.T) {
	t.Parallel()
	db, rec, log := openWith(t, func(log *journal) driver.Conn { return skippingConn{&minimalConn{log: log}} })
	if _, err := db.ExecContext(t.Context(), "insert", 7); err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := db.QueryRowContext(t.Context(), "select", 8).Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if want := []sp.Op{sp.OpExec, sp.OpQuery}; !slices.Equal(rec.ops(), want) {
		t.Errorf("calls %v, want %v", rec.ops(), want)
	}
	if errs := rec.errs(); len(errs) > 0 {
		t.Errorf("the chain saw %v", errs)
	}
	want := []string{
		"open", "prepare insert", "exec insert [7]", "close stmt",
		"prepare select", "query select [8]", "close rows", "close stmt",
	}
	if !slices.Equal(log.all(), want) {
		t.Errorf("driver saw %v, want %v", log.all(), want)
	}
}

// convertingStmt converts its arguments by column.
type convertingStmt struct{ *minimalStmt }

type upperCase struct{}

func (upperCase) ConvertValue(v any) (driver.Value, error) {
	return fmt.Sprintf("CONVERTED %v", v), nil
}

func (convertingStmt) NumInput() int                             { return 1 }
func (convertingStmt) ColumnConverter(int) driver.ValueConverter { return upperCase{} }

type celsius struct{ degrees int }

func TestColumnConverterIsUsed(t *testing.T) {
	t.Parallel()
	conn := func(log *journal) driver.Conn {
		c := &minimalConn{log: log}
		c.stmt = func(q string) driver.Stmt { return convertingStmt{&minimalStmt{log: log, query: q}} }
		return c
	}
	through(t, conn, func(t *testing.T, db *sql.DB, log *journal) {
		// A type that only the column's converter can take.
		if _, err := db.ExecContext(t.Context(), "insert", celsius{20}); err != nil {
			t.Fatal(err)
		}
		if log.count("exec insert [CONVERTED {20}]") != 1 {
			t.Errorf("driver saw %v", log.all())
		}
	})
}

func TestAStatementWithoutConverterGetsDefaultConversion(t *testing.T) {
	t.Parallel()
	through(t, plain, func(t *testing.T, db *sql.DB, _ *journal) {
		if _, err := db.ExecContext(t.Context(), "insert", celsius{20}); err == nil {
			t.Error("a type that no driver takes was sent")
		}
	})
}

// checkingConn has a NamedValueChecker that takes types of its own.
type checkingConn struct{ *minimalConn }

func (c checkingConn) CheckNamedValue(v *driver.NamedValue) error {
	if d, ok := v.Value.(celsius); ok {
		v.Value = int64(d.degrees)
		return nil
	}
	if v.Value == "remove me" {
		return driver.ErrRemoveArgument
	}
	return driver.ErrSkip
}

func TestNamedValueCheckerIsUsed(t *testing.T) {
	t.Parallel()
	through(t, func(log *journal) driver.Conn { return checkingConn{&minimalConn{log: log}} }, func(t *testing.T, db *sql.DB, log *journal) {
		if _, err := db.ExecContext(t.Context(), "insert", celsius{20}, "remove me", int32(3)); err != nil {
			t.Fatal(err)
		}
		if log.count("exec insert [20 3]") != 1 {
			t.Errorf("driver saw %v", log.all())
		}
	})
}

// wrappingStmt converts arguments in a way that does not bear its own result, and
// loses a deadlock once.
type wrappingStmt struct {
	minimalStmt
	failed *bool
}

func (*wrappingStmt) CheckNamedValue(v *driver.NamedValue) error {
	v.Value = fmt.Sprintf("<%v>", v.Value)
	return nil
}

func (s *wrappingStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.log.add("exec %v", args)
	if !*s.failed {
		*s.failed = true
		return nil, &mysql.MySQLError{Number: 1213, Message: "Deadlock found"}
	}
	return driver.RowsAffected(1), nil
}

func TestAnAttemptConvertsArgumentsAnew(t *testing.T) {
	t.Parallel()
	log, failed := &journal{}, false
	conn := &minimalConn{log: log}
	conn.stmt = func(string) driver.Stmt { return &wrappingStmt{minimalStmt{log: log}, &failed} }
	db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) { return skippingConn{conn}, nil }}, sp.NewChain(retrier(t)),
		sqldb.WithTarget(sp.Target{System: sp.MySQL}))
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (?)", "a"); err != nil || log.count("exec [<a>]") != 2 {
		t.Errorf("%v; driver saw %v", err, log.all())
	}
}

// validatingConn says when it is no longer valid.
type validatingConn struct {
	*minimalConn
	valid bool
}

func (c *validatingConn) IsValid() bool { return c.valid }

func TestInvalidConnectionsAreDiscarded(t *testing.T) {
	t.Parallel()
	through(t, func(log *journal) driver.Conn { return &validatingConn{&minimalConn{log: log}, false} }, func(t *testing.T, db *sql.DB, log *journal) {
		for range 3 {
			if _, err := db.ExecContext(t.Context(), "insert"); err != nil {
				t.Fatal(err)
			}
		}
		if n := log.count("close"); n != 3 {
			t.Errorf("%d of 3 invalid connections were closed", n)
		}
	})
}

// resettingConn counts the resets of its session.
type resettingConn struct{ *minimalConn }

func (c resettingConn) ResetSession(context.Context) error { c.log.add("reset"); return nil }

func TestSessionsAreReset(t *testing.T) {
	t.Parallel()
	through(t, func(log *journal) driver.Conn { return resettingConn{&minimalConn{log: log}} }, func(t *testing.T, db *sql.DB, log *journal) {
		for range 3 {
			if _, err := db.ExecContext(t.Context(), "insert"); err != nil {
				t.Fatal(err)
			}
		}
		if n := log.count("reset"); n != 2 {
			t.Errorf("%d resets, want 2", n)
		}
	})
}

// typedRows have every optional interface of rows.
type typedRows struct {
	minimalRows
	sets int
}

func (r *typedRows) HasNextResultSet() bool { return r.sets > 0 }
func (r *typedRows) NextResultSet() error {
	if r.sets == 0 {
		return io.EOF
	}
	r.sets--
	r.values = []int64{9}
	return nil
}
func (*typedRows) ColumnTypeDatabaseTypeName(int) string             { return "BIGINT" }
func (*typedRows) ColumnTypeLength(int) (int64, bool)                { return 8, true }
func (*typedRows) ColumnTypeNullable(int) (nullable, ok bool)        { return true, true }
func (*typedRows) ColumnTypePrecisionScale(int) (int64, int64, bool) { return 19, 2, true }
func (*typedRows) ColumnTypeScanType(int) reflect.Type               { return reflect.TypeFor[int64]() }

type typedConn struct{ *minimalConn }

func (c typedConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &typedRows{minimalRows{log: c.log, values: []int64{1}}, 1}, nil
}

func TestColumnTypesAndResultSetsSurvive(t *testing.T) {
	t.Parallel()
	through(t, func(log *journal) driver.Conn { return typedConn{&minimalConn{log: log}} }, func(t *testing.T, db *sql.DB, _ *journal) {
		rows, err := db.QueryContext(t.Context(), "select")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		types, err := rows.ColumnTypes()
		if err != nil {
			t.Fatal(err)
		}
		c := types[0]
		length, _ := c.Length()
		nullable, ok := c.Nullable()
		precision, scale, _ := c.DecimalSize()
		if c.DatabaseTypeName() != "BIGINT" || length != 8 || !nullable || !ok || precision != 19 || scale != 2 || c.ScanType() != reflect.TypeFor[int64]() {
			t.Errorf("column type %q %d %v %v %d %d %v", c.DatabaseTypeName(), length, nullable, ok, precision, scale, c.ScanType())
		}
		total := int64(0)
		for more := true; more; more = rows.NextResultSet() {
			for rows.Next() {
				var n int64
				if err := rows.Scan(&n); err != nil {
					t.Fatal(err)
				}
				total += n
			}
		}
		if total != 10 || rows.Err() != nil {
			t.Errorf("both result sets sum to %d with error %v, want 10", total, rows.Err())
		}
	})
}

func TestRowsWithoutColumnTypesPretendNone(t *testing.T) {
	t.Parallel()
	through(t, plain, func(t *testing.T, db *sql.DB, _ *journal) {
		rows, err := db.QueryContext(t.Context(), "select")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		types, err := rows.ColumnTypes()
		if err != nil || rows.Err() != nil {
			t.Fatal(err, rows.Err())
		}
		if _, ok := types[0].Length(); ok || types[0].ScanType() != reflect.TypeFor[any]() {
			t.Error("column types were made up")
		}
	})
}

func TestRawReachesTheDriversConnection(t *testing.T) {
	t.Parallel()
	db, _, _ := openWith(t, plain)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Raw(func(c any) error {
		if _, ok := sqldb.Raw(c).(*minimalConn); !ok {
			return fmt.Errorf("Raw gives %T", sqldb.Raw(c))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if sqldb.Raw(t) != t {
		t.Error("Raw changes what is not of this package")
	}
}

// closingConnector can be closed.
type closingConnector struct {
	connectorFor
	closed *bool
}

func (c closingConnector) Close() error { *c.closed = true; return errRefused }

func TestClosingTheDatabaseClosesTheConnector(t *testing.T) {
	t.Parallel()
	closed := false
	c := closingConnector{connectorFor{func() (driver.Conn, error) { return nil, errRefused }}, &closed}
	db := sqldb.OpenDB(c, sp.Chain{})
	if _, ok := db.Driver().(fakeDriver); !ok {
		t.Errorf("Driver() gives %T, want the driver that is wrapped", db.Driver())
	}
	if err := db.Close(); !errors.Is(err, errRefused) || !closed {
		t.Errorf("Close() = %v, connector closed: %t", err, closed)
	}
}

func TestPreparedStatementsPassThroughTheChain(t *testing.T) {
	t.Parallel()
	db, rec, _ := openWith(t, plain)
	stmt, err := db.PrepareContext(t.Context(), "insert")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := stmt.ExecContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := stmt.Close(); err != nil {
		t.Fatal(err)
	}
	if want := []sp.Op{sp.OpPrepare, sp.OpExec, sp.OpExec}; !slices.Equal(rec.ops(), want) {
		t.Fatalf("calls %v, want %v", rec.ops(), want)
	}
	last := rec.calls[len(rec.calls)-1]
	if last.text != "insert" || !last.prepared {
		t.Errorf("the call of a prepared statement has text %q, prepared %t", last.text, last.prepared)
	}
}

func TestStatementsOfATransactionKnowIt(t *testing.T) {
	t.Parallel()
	db, rec, _ := openWith(t, plain)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	before := rec.finishes()
	if _, err := tx.ExecContext(t.Context(), "insert"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "insert"); err != nil {
		t.Fatal(err)
	}
	in := map[sp.Op]bool{}
	for _, c := range rec.calls {
		in[c.op] = c.inTx
	}
	if in[sp.OpBegin] || !in[sp.OpRollback] || in[sp.OpExec] {
		t.Errorf("in a transaction: %v; the last exec and BEGIN are not, ROLLBACK is", in)
	}
	if before != 1 { // the connect
		t.Errorf("%d calls finished while the transaction was open, want the connect alone", before)
	}
	if rec.finishes() != len(rec.calls) {
		t.Errorf("%d of %d calls finished", rec.finishes(), len(rec.calls))
	}
}
