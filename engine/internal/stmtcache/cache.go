package stmtcache

import (
	"container/list"
	"context"
	"database/sql/driver"
	"fmt"
)

// Preparer prepares statements: a connection.
type Preparer interface {
	driver.ConnPrepareContext
}

// Stmt is what the statements of a driver have to implement.
type Stmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// Errors tells the errors of a driver that are about prepared statements. The
// zero Errors knows of none.
type Errors struct {
	// Forgotten reports whether the server does not know a statement that was
	// prepared before, so that nothing was done; nil if that can't be.
	Forgotten func(err error) bool
	// Full reports whether there is no room for another statement; nil if that
	// can't be.
	Full func(err error) bool
}

// Cache are the prepared statements of one connection. It is used by one
// goroutine at a time, which has at most one of the statements at work.
type Cache struct {
	limit  int
	errors Errors
	order  *list.List // of *statement, the one used last in front
	byText map[string]*list.Element
}

type statement struct {
	text string
	stmt Stmt
}

// New returns a cache of at most limit statements, which is at least 1.
func New(limit int, errors Errors) *Cache {
	return &Cache{limit: limit, errors: errors, order: list.New(), byText: map[string]*list.Element{}}
}

// Exec runs a statement without rows.
func (c *Cache) Exec(ctx context.Context, p Preparer, text string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.with(ctx, p, text, func(s Stmt) error {
		res, err = s.ExecContext(ctx, args)
		return err
	})
	return res, err
}

// Query runs a statement and returns its rows. Until they are closed, the
// cache must not be used.
func (c *Cache) Query(ctx context.Context, p Preparer, text string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.with(ctx, p, text, func(s Stmt) error {
		rows, err = s.QueryContext(ctx, args)
		return err
	})
	return rows, err
}

// with calls use with the prepared statement of a text. A statement that the
// server has forgotten is prepared again.
func (c *Cache) with(ctx context.Context, p Preparer, text string, use func(Stmt) error) error {
	element, known := c.byText[text]
	if !known {
		fresh, err := c.prepare(ctx, p, text)
		if err != nil {
			return err
		}
		element = fresh
	}
	c.order.MoveToFront(element)
	err := use(element.Value.(*statement).stmt)
	if err != nil && known && c.errors.Forgotten != nil && c.errors.Forgotten(err) {
		c.drop(element)
		return c.with(ctx, p, text, use)
	}
	return err
}

func (c *Cache) prepare(ctx context.Context, p Preparer, text string) (*list.Element, error) {
	for c.order.Len() >= c.limit {
		c.drop(c.order.Back())
	}
	stmt, err := p.PrepareContext(ctx, text)
	if err != nil && c.errors.Full != nil && c.errors.Full(err) && c.order.Len() > 0 {
		c.Close()
		stmt, err = p.PrepareContext(ctx, text)
	}
	if err != nil {
		return nil, err
	}
	full, ok := stmt.(Stmt)
	if !ok {
		_ = stmt.Close()
		return nil, fmt.Errorf("engine: prepare: a %T can't be run with a context", stmt)
	}
	element := c.order.PushFront(&statement{text: text, stmt: full})
	c.byText[text] = element
	return element, nil
}

// drop closes a statement. Should that fail, so will what comes next on the
// connection.
func (c *Cache) drop(e *list.Element) {
	s := e.Value.(*statement)
	c.order.Remove(e)
	delete(c.byText, s.text)
	_ = s.stmt.Close()
}

// Close closes all statements. The cache can be used again.
func (c *Cache) Close() {
	for c.order.Len() > 0 {
		c.drop(c.order.Back())
	}
}
