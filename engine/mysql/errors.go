package mysql

import (
	"errors"

	driver "github.com/go-sql-driver/mysql"

	"github.com/sessionproxy/sessionproxy/engine/internal/stmtcache"
)

// Server errors that this package acts on: MariaDB Server error codes, MySQL
// 8.0 Server Error Message Reference.
const (
	unknownStatement = 1243 // ER_UNKNOWN_STMT_HANDLER
	interrupted      = 1317 // ER_QUERY_INTERRUPTED
	tooManyPrepared  = 1461 // ER_MAX_PREPARED_STMT_COUNT_REACHED
)

var stmtErrors = stmtcache.Errors{
	Forgotten: func(err error) bool { return numberOf(err) == unknownStatement },
	Full:      func(err error) bool { return numberOf(err) == tooManyPrepared },
}

// numberOf returns the server's error number, or 0.
func numberOf(err error) uint16 {
	if e, ok := errors.AsType[*driver.MySQLError](err); ok {
		return e.Number
	}
	return 0
}
