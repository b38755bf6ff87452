package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"modernc.org/sqlite"
)

// client is the client to attach: a pool of connections to a SQLite database,
// with an interface of its own. It knows nothing of the pipeline.
type client struct {
	dsn  string
	mu   sync.Mutex
	idle []*conn
}

// dial opens a connection.
func (c *client) dial() (*conn, error) {
	raw, err := new(sqlite.Driver).Open(c.dsn)
	if err != nil {
		return nil, err
	}
	both, ok := raw.(rawConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("client: %T lacks methods", raw), raw.Close())
	}
	return &conn{both}, nil
}

// take returns an idle connection, or nil.
func (c *client) take() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.idle) - 1
	if last < 0 {
		return nil
	}
	taken := c.idle[last]
	c.idle = c.idle[:last]
	return taken
}

// put gives a connection back.
func (c *client) put(back *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, back)
}

// closeIdle closes the connections that nobody uses.
func (c *client) closeIdle() (err error) {
	for idle := c.take(); idle != nil; idle = c.take() {
		err = errors.Join(err, idle.raw.Close())
	}
	return err
}

// conn is a connection of the client.
type conn struct{ raw rawConn }

// rawConn is what the client needs of the driver.
type rawConn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(ctx context.Context, text string, args []any) (int64, error) {
	values, err := bind(args)
	if err != nil {
		return 0, err
	}
	result, err := c.raw.ExecContext(ctx, text, values)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query runs a statement and returns its rows.
func (c *conn) query(ctx context.Context, text string, args []any) (driver.Rows, error) {
	values, err := bind(args)
	if err != nil {
		return nil, err
	}
	return c.raw.QueryContext(ctx, text, values)
}

// bind returns arguments in the form that the driver takes.
func bind(args []any) ([]driver.NamedValue, error) {
	values := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return nil, fmt.Errorf("client: argument %d: %w", i+1, err)
		}
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: value}
	}
	return values, nil
}
