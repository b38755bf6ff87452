package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// dsnConnector is the connector of a driver without DriverContext.
type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

func (c dsnConnector) Driver() driver.Driver { return c.driver }

// failing is a connector that answers with an error: the only way to make a
// *sql.Row or a *sql.DB that reports an error of ours.
type failing struct {
	err    error
	driver driver.Driver
}

func (f failing) Connect(context.Context) (driver.Conn, error) { return nil, f.err }

func (f failing) Driver() driver.Driver { return f.driver }

// failedRow returns a row whose Scan reports err.
func failedRow(err error) *sql.Row {
	db := sql.OpenDB(failing{err: err})
	row := db.QueryRow("") // a context that is over would hide err
	_ = db.Close()
	return row
}
