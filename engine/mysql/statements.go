package mysql

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	mysqldriver "github.com/go-sql-driver/mysql"
)

// The server's errors about prepared statements: MariaDB Server error codes,
// MySQL 8.0 Server Error Message Reference.
const (
	unknownStatement = 1243 // ER_UNKNOWN_STMT_HANDLER
	tooManyPrepared  = 1461 // ER_MAX_PREPARED_STMT_COUNT_REACHED
)

// rawStmt is what go-sql-driver's statement implements.
type rawStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statements are the prepared statements of a connection, the one used last in
// front. Its user has at most one of them at work.
type statements struct {
	limit  int
	order  *list.List // of *statement
	byText map[string]*list.Element
}

type statement struct {
	text string
	stmt rawStmt
}

func newStatements(limit int) *statements {
	return &statements{limit: limit, order: list.New(), byText: map[string]*list.Element{}}
}

// with calls use with the prepared statement of a text. If the server has
// forgotten a statement, it is prepared again: nothing was done.
func (s *statements) with(ctx context.Context, c rawConn, text string, use func(rawStmt) error) error {
	element, known := s.byText[text]
	if !known {
		fresh, err := s.prepare(ctx, c, text)
		if err != nil {
			return err
		}
		element = fresh
	}
	s.order.MoveToFront(element)
	err := use(element.Value.(*statement).stmt)
	if known && numberOf(err) == unknownStatement {
		s.drop(element)
		return s.with(ctx, c, text, use)
	}
	return err
}

func (s *statements) prepare(ctx context.Context, c rawConn, text string) (*list.Element, error) {
	for s.order.Len() >= s.limit {
		s.drop(s.order.Back())
	}
	stmt, err := c.PrepareContext(ctx, text)
	if numberOf(err) == tooManyPrepared && s.order.Len() > 0 {
		for s.order.Len() > 0 {
			s.drop(s.order.Back())
		}
		stmt, err = c.PrepareContext(ctx, text)
	}
	if err != nil {
		return nil, err
	}
	raw, ok := stmt.(rawStmt)
	if !ok {
		_ = stmt.Close()
		return nil, fmt.Errorf("engine: prepare: %T lacks an interface that go-sql-driver/mysql has", stmt)
	}
	element := s.order.PushFront(&statement{text: text, stmt: raw})
	s.byText[text] = element
	return element, nil
}

// drop closes a statement, which needs no answer of the server.
func (s *statements) drop(e *list.Element) {
	st := e.Value.(*statement)
	s.order.Remove(e)
	delete(s.byText, st.text)
	_ = st.stmt.Close()
}

// numberOf returns the server's error number, or 0.
func numberOf(err error) uint16 {
	if e, ok := errors.AsType[*mysqldriver.MySQLError](err); ok {
		return e.Number
	}
	return 0
}
