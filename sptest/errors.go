package sptest

import (
	"slices"

	"github.com/sessionproxy/sessionproxy"
)

// Errors are the error values of one driver: its own types, as it returns them
// itself. A nil error is one that the driver or its database can't show. The
// packages below sptest return them. They are shared and must not be changed.
type Errors struct {
	// Driver is the driver's name, for reports.
	Driver string

	// Serialization is a snapshot that conflicts with a concurrent transaction.
	Serialization error
	// Deadlock is a transaction chosen as a deadlock's victim.
	Deadlock error
	// LockTimeout is a lock that was not available in time.
	LockTimeout error
	// UniqueViolation is a violated unique constraint.
	UniqueViolation error
	// ReadOnly is a write that a server refuses which has become a replica.
	ReadOnly error
	// Full is a database without room for more.
	Full error

	// Refused is a connection that was refused.
	Refused error
	// TooManyConnections is a connection that a full server refused.
	TooManyConnections error
	// LostBefore is a connection that breaks before a statement reaches the server.
	LostBefore error
	// LostAfter is a connection that breaks before the answer to a statement comes.
	LostAfter error
}

// Faults returns the faults that [EveryFault] tries: each error at the operations
// where its database shows it, and each loss of a connection before and after the
// call took effect. Of a query, rows break off after the first too.
//
// UniqueViolation is not among them: to a program it says that a row is there,
// which a made one can't make true. Nor are [Latency], [Hang] and a panic: what
// they lead to depends on the time limits of your chain.
func (e Errors) Faults() []Fault {
	changing := append(slices.Clone(statements), sessionproxy.OpCommit)
	locking := append(slices.Clone(statements), sessionproxy.OpBegin)
	all := []Fault{
		{Name: "serialization failure", Err: e.Serialization, At: changing, Conflict: true},
		{Name: "deadlock", Err: e.Deadlock, At: statements, Conflict: true},
		{Name: "lock timeout", Err: e.LockTimeout, At: locking, Conflict: true},
		{Name: "read-only after a failover", Err: e.ReadOnly, At: statements, Writes: true},
		{Name: "database full", Err: e.Full, At: statements, Writes: true},
		{Name: "connection refused", Err: e.Refused, At: opening},
		{Name: "too many connections", Err: e.TooManyConnections, At: opening},
		{Name: "lost before it arrived", Err: e.LostBefore, Lost: true, At: without(sessionproxy.OpConnect)},
		{Name: "answer lost", Err: e.LostAfter, After: true, Lost: true, At: without(sessionproxy.OpConnect, sessionproxy.OpPing, sessionproxy.OpPrepare)},
		{Name: "rows break off", Err: e.LostAfter, Rows: 1, Lost: true, At: querying},
	}
	return slices.DeleteFunc(all, func(f Fault) bool { return f.Err == nil })
}

// without returns the operations that talk to a server, less some.
func without(some ...sessionproxy.Op) []sessionproxy.Op {
	return slices.DeleteFunc(slices.Clone(talks), func(op sessionproxy.Op) bool { return slices.Contains(some, op) })
}

// Unique returns the fault of a violated unique constraint, at statements that may
// write.
func (e Errors) Unique() Fault {
	return Fault{Name: "unique violation", Err: e.UniqueViolation, At: statements, Writes: true}
}

// CommitLostAfter returns the fault of a COMMIT that was carried out and whose
// answer is lost.
func (e Errors) CommitLostAfter() Fault {
	return Fault{Name: "COMMIT done, answer lost", Err: e.LostAfter, After: true, Lost: true, At: []sessionproxy.Op{sessionproxy.OpCommit}}
}

// CommitLostBefore returns the fault of a COMMIT that never arrived, which its
// caller can't tell from one whose answer is lost.
func (e Errors) CommitLostBefore() Fault {
	return Fault{Name: "COMMIT lost", Err: e.LostAfter, Lost: true, At: []sessionproxy.Op{sessionproxy.OpCommit}}
}
