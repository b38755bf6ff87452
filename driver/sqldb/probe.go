package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// resolveTx finds out whether a transaction is open, before an unsure connection is
// handed out. Where nobody can tell, the connection stays unsure until a text
// leaves no doubt or it is closed.
func (d *driverConn) resolveTx(ctx context.Context) error {
	d.tx.ask = false
	state, err := d.probe(ctx)
	switch {
	case err == nil:
		d.tx.is(state)
	case errors.Is(err, errNobodyTells):
	case errors.Is(err, driver.ErrBadConn), d.dead():
		return driver.ErrBadConn
	case ctx.Err() != nil:
		d.tx.ask = true
	}
	return nil
}

// errNobodyTells says that the state of a connection can't be found out.
var errNobodyTells = errors.New("sqldb: neither driver nor server tells whether a transaction is open")

// probe asks the server whether a transaction is open.
func (d *driverConn) probe(ctx context.Context) (txState, error) {
	switch d.system() {
	case sp.SQLite:
		return d.probeSQLite(ctx)
	case sp.MariaDB:
		return d.probeMariaDB(ctx)
	case sp.PostgreSQL:
		return d.probePostgres(ctx)
	}
	// MySQL has no variable that tells: @@in_transaction is MariaDB's.
	return txUnsure, errNobodyTells
}

// probeSQLite begins a transaction, which SQLite refuses inside of another. It
// locks nothing, so it does not wait.
func (d *driverConn) probeSQLite(ctx context.Context) (txState, error) {
	if d.tx.reported() {
		return d.tx.state, nil
	}
	if d.execer == nil {
		return txUnsure, errNobodyTells
	}
	ctx = context.WithoutCancel(ctx) // a BEGIN that is cancelled may have begun
	if _, err := d.execer.ExecContext(ctx, "BEGIN", nil); err != nil {
		if strings.Contains(err.Error(), "within a transaction") {
			return txOpen, nil
		}
		return txUnsure, err
	}
	if _, err := d.execer.ExecContext(ctx, "ROLLBACK", nil); err != nil {
		d.unfit = true
		return txUnsure, err
	}
	return txNone, nil
}

// probeMariaDB asks for the state and for the settings by which the server begins
// transactions by itself.
func (d *driverConn) probeMariaDB(ctx context.Context) (txState, error) {
	row, err := d.row(ctx, "SELECT @@autocommit, @@completion_type, @@in_transaction", 3)
	if err != nil {
		return txUnsure, err
	}
	switch {
	case !plainSettings(row[0], row[1]):
		return txUnsure, errNobodyTells
	case row[2] != "0":
		return txOpen, nil
	}
	return txNone, nil
}

// plainSettings reports whether a session of MySQL or MariaDB begins transactions
// only when it is told to.
func plainSettings(autocommit, completionType string) bool {
	return autocommit == "1" && completionType == "NO_CHAIN"
}

// probePostgres sets a variable until the end of the transaction: outside of one
// that is the end of the statement. It writes nothing and leaves no line in the
// server's log.
func (d *driverConn) probePostgres(ctx context.Context) (txState, error) {
	_, err := d.row(ctx, "SELECT pg_catalog.set_config('sessionproxy.probe', 'open', true)", 1)
	switch {
	case fault.Code(err) == "25P02": // in_failed_sql_transaction
		return txOpen, nil
	case err != nil:
		return txUnsure, err
	}
	row, err := d.row(ctx, "SELECT pg_catalog.current_setting('sessionproxy.probe', true)", 1)
	switch {
	case err != nil:
		return txUnsure, err
	case row[0] == "open":
		return txOpen, nil
	}
	return txNone, nil
}

// row asks the server for one row of n values, as texts.
func (d *driverConn) row(ctx context.Context, query string, n int) ([]string, error) {
	if d.queryer == nil {
		return nil, errNobodyTells
	}
	rows, err := d.queryer.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if got := len(rows.Columns()); got != n {
		return nil, fmt.Errorf("sqldb: %s: %d columns, want %d", query, got, n)
	}
	values := make([]driver.Value, n)
	if err := rows.Next(values); err != nil {
		return nil, err
	}
	texts := make([]string, n)
	for i, v := range values {
		switch v := v.(type) {
		case nil:
		case []byte:
			texts[i] = string(v)
		default:
			texts[i] = fmt.Sprint(v)
		}
	}
	// To the end: rows that are closed before it may cost the connection, as a
	// stream of package engine does.
	for {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return texts, nil
		case err != nil:
			return nil, err
		}
	}
}

// system is the database's, as far as it is known.
func (d *driverConn) system() sp.System {
	if t := d.pipeline.target.Load(); t != nil {
		return t.System
	}
	return sp.OtherSQL
}

// dialect is what texts are read as.
func (p *pipeline) dialect() sqltext.Dialect {
	if t := p.target.Load(); t != nil {
		return sqltext.DialectOf(string(t.System))
	}
	return sqltext.Generic
}
