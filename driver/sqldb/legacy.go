package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
)

// asExecer returns c's ExecerContext, or its Execer as one, or nil.
func asExecer(c driver.Conn) driver.ExecerContext {
	if e, ok := c.(driver.ExecerContext); ok {
		return e
	}
	if e, ok := c.(driver.Execer); ok { //nolint:staticcheck // some drivers have nothing else
		return legacyExecer{e}
	}
	return nil
}

// asQueryer returns c's QueryerContext, or its Queryer as one, or nil.
func asQueryer(c driver.Conn) driver.QueryerContext {
	if q, ok := c.(driver.QueryerContext); ok {
		return q
	}
	if q, ok := c.(driver.Queryer); ok { //nolint:staticcheck // some drivers have nothing else
		return legacyQueryer{q}
	}
	return nil
}

type legacyExecer struct{ driver.Execer } //nolint:staticcheck // see asExecer

func (e legacyExecer) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	plain, err := plainValues(ctx, args)
	if err != nil {
		return nil, err
	}
	return e.Exec(query, plain)
}

type legacyQueryer struct{ driver.Queryer } //nolint:staticcheck // see asQueryer

func (q legacyQueryer) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	plain, err := plainValues(ctx, args)
	if err != nil {
		return nil, err
	}
	return q.Query(query, plain)
}

// plainValues is what database/sql does before it calls a method without a
// context: named arguments are refused, a context that is over ends the call.
func plainValues(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	plain := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("sqldb: the driver does not support named parameters")
		}
		plain[i] = a.Value
	}
	return plain, ctx.Err()
}
