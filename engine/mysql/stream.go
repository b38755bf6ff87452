package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// stopping is how a stream is stopped before its end.
type stopping uint8

const (
	stopByDiscard stopping = iota // the connection is closed
	stopByKill                    // the query is killed, the connection stays
)

// streamKey marks the context of a stream's query.
type streamKey struct{}

// streaming returns the context of a stream's query.
func streaming(ctx context.Context, inTx bool) context.Context {
	how := stopByDiscard
	if inTx {
		how = stopByKill
	}
	return context.WithValue(ctx, streamKey{}, how)
}

// rawRows is what go-sql-driver's rows implement.
type rawRows interface {
	driver.Rows
	driver.RowsNextResultSet
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// stream are rows that can be stopped. The driver's own read the rest when they
// are closed.
type stream struct {
	rawRows
	conn  *conn
	how   stopping
	ended bool
}

// Next implements [driver.Rows].
func (s *stream) Next(dest []driver.Value) error {
	err := s.rawRows.Next(dest)
	s.ended = s.ended || err != nil
	return err
}

// Close implements [driver.Rows].
func (s *stream) Close() error {
	if s.ended {
		return s.rawRows.Close()
	}
	s.ended = true
	if s.how == stopByKill && s.conn.kill() {
		// Reads what is on the way, up to the server's word that the query was
		// interrupted.
		if err := s.rawRows.Close(); err != nil && numberOf(err) != interrupted {
			return err
		}
		return s.conn.settle()
	}
	if s.how == stopByKill {
		return s.rawRows.Close() // the transaction is worth the rest of the rows
	}
	s.conn.spent = true
	_ = s.conn.rawConn.Close()
	_ = s.rawRows.Close() // says that the connection is closed
	return nil
}

// killTimeout bounds the killing of a query.
const killTimeout = 5 * time.Second

// kill ends the query at work, by way of a connection of its own.
func (c *conn) kill() bool {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	other, err := c.connector.base.Connect(ctx)
	if err != nil {
		return false
	}
	defer other.Close() //nolint:errcheck // its work is done
	execer, ok := other.(driver.ExecerContext)
	if !ok {
		return false
	}
	_, err = execer.ExecContext(ctx, "KILL QUERY "+strconv.FormatUint(c.id, 10), nil)
	return err == nil
}

// settle takes the blow of a KILL that came after the query had ended, which
// would hit the next statement.
func (c *conn) settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	_, err := c.rawConn.ExecContext(ctx, "DO 0", nil)
	if numberOf(err) == interrupted {
		return nil
	}
	return err
}

// learnID asks for the server's number of the connection, once.
func (c *conn) learnID(ctx context.Context) error {
	if c.id != 0 {
		return nil
	}
	rows, err := c.rawConn.QueryContext(ctx, "SELECT CONNECTION_ID()", nil)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // the row was read
	value := make([]driver.Value, 1)
	if err := rows.Next(value); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	text := fmt.Sprint(value[0])
	if b, ok := value[0].([]byte); ok {
		text = string(b)
	}
	c.id, err = strconv.ParseUint(text, 10, 64)
	return err
}
