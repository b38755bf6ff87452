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

// killTimeout bounds the killing of a query.
const killTimeout = 5 * time.Second

// kill ends the running query, or the whole connection, from another connection
// to the same server: on any other server the number belongs to someone else's
// connection.
func (c *conn) kill(what string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	other, _, err := c.connector.reach(ctx, c.server)
	if err != nil {
		return false
	}
	defer other.Close() //nolint:errcheck // its work is done
	execer, ok := other.(driver.ExecerContext)
	if !ok {
		return false
	}
	_, err = execer.ExecContext(ctx, "KILL "+what+" "+strconv.FormatUint(c.id, 10), nil)
	return err == nil
}

// stopServer stops a statement on the server after its caller has given up. The
// driver only closes the connection, which a server that has nothing to send
// does not notice: the statement would go on, and keep its locks.
func (c *conn) stopServer(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil && !c.rawConn.IsValid() {
		go c.kill("CONNECTION") //nolint:gosec // ctx is over; the kill is bounded in time, and nobody waits for it
	}
}

// absorbKill sends a statement that does nothing, to absorb a KILL that arrives
// after the query has ended and would hit the next statement.
func (c *conn) absorbKill() error {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	_, err := c.rawConn.ExecContext(ctx, "DO 0", nil)
	if numberOf(err) == interrupted {
		return nil
	}
	return err
}

// learnID asks the server for the connection's number.
func (c *conn) learnID(ctx context.Context) error {
	rows, err := c.rawConn.QueryContext(ctx, "SELECT CONNECTION_ID()", nil)
	if err != nil {
		return err
	}
	defer rows.Close()
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
