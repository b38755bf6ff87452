package fault

// Class is a kind of fault: coarse enough to be a metric's attribute, fine
// enough to decide what to do. The zero value is [ClassNone].
type Class uint8

const (
	// ClassNone is the class of success.
	ClassNone Class = iota
	// ClassUnknown is an error that is in no table, or that the database itself
	// reports as internal. It is never retried.
	ClassUnknown
	// ClassCanceled is work given up by its caller, or cancelled from outside
	// (pg_cancel_backend, KILL QUERY, sqlite3_interrupt).
	ClassCanceled
	// ClassTimeout is the end of the caller's own deadline.
	ClassTimeout
	// ClassAttemptTimeout is the end of the time this library allows one
	// attempt; see [ErrAttemptTimeout].
	ClassAttemptTimeout
	// ClassPoolTimeout is a wait for a free connection that took too long; see
	// [ErrPoolTimeout].
	ClassPoolTimeout
	// ClassConnect is a connection that could not be made: refused, no route,
	// no such host, a failed handshake.
	ClassConnect
	// ClassConnectionLost is a connection that broke while it was in use, or
	// that was found broken.
	ClassConnectionLost
	// ClassServerDown is a server that reports that it is stopping, starting,
	// or unable to take part in its cluster.
	ClassServerDown
	// ClassOverloaded is a server that lacks a resource: connections, memory,
	// lock table, disk.
	ClassOverloaded
	// ClassReadOnly is a write refused because the server, the transaction or
	// the file is read-only.
	ClassReadOnly
	// ClassSerialization is a transaction whose snapshot conflicts with a
	// concurrent one.
	ClassSerialization
	// ClassDeadlock is a transaction chosen as a deadlock's victim.
	ClassDeadlock
	// ClassLockTimeout is a lock that was not available at once or in time.
	ClassLockTimeout
	// ClassStatementTimeout is the server's own limit on a statement's or a
	// transaction's time.
	ClassStatementTimeout
	// ClassIntegrity is a violated constraint; see package integrity.
	ClassIntegrity
	// ClassData is a value that does not fit: out of range, too long, not a
	// number, or not scannable into its destination.
	ClassData
	// ClassSyntax is a statement that the database does not understand.
	ClassSyntax
	// ClassNotFound is something that does not exist: a table, a column, a
	// database, or a row ([database/sql.ErrNoRows]).
	ClassNotFound
	// ClassPermission is a privilege that the user lacks.
	ClassPermission
	// ClassAuth is a login that was refused.
	ClassAuth
	// ClassUnsupported is a feature that the database or the driver lacks.
	ClassUnsupported
	// ClassRejected is a call refused by this library before anything was
	// sent: breaker open, limit full, read-only guard; see [ErrRejected].
	ClassRejected
	// ClassState is a call at the wrong time: a finished transaction or closed
	// connection, a transaction that has already failed, a protocol misused.
	ClassState
	// ClassCaller is an error of the caller's own that says nothing about the
	// database: the function of a unit of work returned it to have the unit
	// rolled back. It is no failure of the database.
	ClassCaller
)

var classNames = [...]string{
	ClassNone:             "none",
	ClassUnknown:          "unknown",
	ClassCanceled:         "canceled",
	ClassTimeout:          "timeout",
	ClassAttemptTimeout:   "attempt_timeout",
	ClassPoolTimeout:      "pool_timeout",
	ClassConnect:          "connect",
	ClassConnectionLost:   "connection_lost",
	ClassServerDown:       "server_down",
	ClassOverloaded:       "overloaded",
	ClassReadOnly:         "read_only",
	ClassSerialization:    "serialization",
	ClassDeadlock:         "deadlock",
	ClassLockTimeout:      "lock_timeout",
	ClassStatementTimeout: "statement_timeout",
	ClassIntegrity:        "integrity",
	ClassData:             "data",
	ClassSyntax:           "syntax",
	ClassNotFound:         "not_found",
	ClassPermission:       "permission",
	ClassAuth:             "auth",
	ClassUnsupported:      "unsupported",
	ClassRejected:         "rejected",
	ClassState:            "state",
	ClassCaller:           "caller",
}

// String returns the class's name in lower case, words joined by underscores:
// "serialization", "connection_lost". The names are stable and few, fit for a
// metric's attribute.
func (c Class) String() string { return nameOf(classNames[:], int(c)) }

// nameOf returns the i-th name, or "invalid" for a value that is none of the
// declared ones.
func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "invalid"
}
