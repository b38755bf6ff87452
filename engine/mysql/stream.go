package mysql

import (
	"context"
	"database/sql/driver"
)

// stopping says how a stream is stopped early.
type stopping uint8

const (
	stopByDiscard stopping = iota // the connection is closed
	stopByKill                    // the query is killed, the connection stays
)

// streamKey marks the context of a stream's query.
type streamKey struct{}

// streaming returns the context of a stream's query. A connection held by the
// caller outlives the stream.
func streaming(ctx context.Context, held bool) context.Context {
	how := stopByDiscard
	if held {
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

// stream is rows that can be stopped: closing the driver's own reads the rest.
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
	if s.how == stopByKill && s.conn.kill("QUERY") {
		// Reads the rows in transit, until the server reports that the query
		// was interrupted.
		if err := s.rawRows.Close(); err != nil && numberOf(err) != interrupted {
			return err
		}
		return s.conn.absorbKill()
	}
	if s.how == stopByKill {
		return s.rawRows.Close() // the connection is worth the rest of the rows
	}
	s.conn.spent = true
	_ = s.conn.rawConn.Close()
	_ = s.rawRows.Close() // says that the connection is closed
	return nil
}
