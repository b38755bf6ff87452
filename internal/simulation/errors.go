package simulation

import (
	"net"
	"os"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a client of PostgreSQL gets to see.
var (
	errRefused error = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errReset   error = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

	errStarting  error = &pgconn.PgError{Severity: "FATAL", Code: "57P03", Message: "the database system is starting up"}
	errShutdown  error = &pgconn.PgError{Severity: "FATAL", Code: "57P01", Message: "terminating connection due to administrator command"}
	errTooMany   error = &pgconn.PgError{Severity: "FATAL", Code: "53300", Message: "sorry, too many clients already"}
	errReadOnly  error = &pgconn.PgError{Severity: "ERROR", Code: "25006", Message: "cannot execute UPDATE in a read-only transaction"}
	errConflict  error = &pgconn.PgError{Severity: "ERROR", Code: "40001", Message: "could not serialize access due to concurrent update"}
	errDuplicate error = &pgconn.PgError{Severity: "ERROR", Code: "23505", Message: "duplicate key value violates unique constraint"}
)
