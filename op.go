package sessionproxy

import "github.com/sessionproxy/sessionproxy/fault"

// Level says which layer a [Call] belongs to.
type Level uint8

const (
	// LevelStatement is the level of operations on the database: statements,
	// transaction control, connections.
	LevelStatement Level = iota
	// LevelSession is the level of the methods of a unit-of-work session, each
	// of which makes any number of calls of [LevelStatement].
	LevelSession
)

// String returns "statement" or "session".
func (l Level) String() string {
	if l == LevelSession {
		return "session"
	}
	return "statement"
}

// Scope says what a [Call] is performed on, and so what a retry of it can
// achieve.
type Scope uint8

const (
	// ScopeConn is the scope of a call bound to one connection: a retry runs on
	// the same connection.
	ScopeConn Scope = iota
	// ScopePool is the scope of a call that takes a connection from a pool
	// each time it is performed.
	ScopePool
)

// String returns "connection" or "pool".
func (s Scope) String() string {
	if s == ScopePool {
		return "pool"
	}
	return "connection"
}

// Op is the operation of a [Call].
type Op uint8

// The operations of [LevelStatement].
const (
	// OpUnknown is the zero Op; no driver integration makes a call with it.
	OpUnknown Op = iota
	// OpConnect opens a connection to the server.
	OpConnect
	// OpPing verifies a connection.
	OpPing
	// OpAcquire takes a connection from a pool that can be observed. The call
	// is finished when the connection is given back.
	OpAcquire
	// OpPrepare prepares a statement.
	OpPrepare
	// OpExec runs a statement without reading rows.
	OpExec
	// OpQuery runs a statement and opens its rows.
	OpQuery
	// OpBatch sends several statements in one round trip.
	OpBatch
	// OpCopy is a bulk copy into a table.
	OpCopy
	// OpBegin begins a transaction. The call is finished when the transaction ends.
	OpBegin
	// OpSavepoint sets a savepoint.
	OpSavepoint
	// OpCommit commits a transaction.
	OpCommit
	// OpRollback rolls back a transaction, or to a savepoint.
	OpRollback
	// OpRelease releases a savepoint.
	OpRelease
	// OpClose closes a connection.
	OpClose
	// OpTransaction is a unit of work: BEGIN, the caller's function and COMMIT
	// as one call, which may be performed again as a whole.
	OpTransaction
)

// firstSessionOp is the first operation of [LevelSession]: a method of a session.
const firstSessionOp Op = 64

// SessionOp returns the operation of a session's method, given the method's
// name in telemetry, such as "commit" or "add_all". It returns [OpUnknown] if
// there is no such method.
func SessionOp(method string) Op {
	for op := firstSessionOp; int(op) < len(opTable); op++ {
		if opTable[op].name == "session."+method {
			return op
		}
	}
	return OpUnknown
}

// opInfo holds the properties of an operation.
type opInfo struct {
	name          string
	phase         fault.Phase
	readsOnly     bool
	transactional bool
	local         bool
	cleanup       bool
}

var opTable = [...]opInfo{
	OpUnknown:     {name: "unknown"},
	OpConnect:     {name: "connect", phase: fault.PhaseConnect, readsOnly: true},
	OpPing:        {name: "ping", readsOnly: true},
	OpAcquire:     {name: "acquire", phase: fault.PhaseAcquire, readsOnly: true},
	OpPrepare:     {name: "prepare", phase: fault.PhasePrepare, readsOnly: true},
	OpExec:        {name: "exec"},
	OpQuery:       {name: "query"},
	OpBatch:       {name: "batch"},
	OpCopy:        {name: "COPY"},
	OpBegin:       {name: "BEGIN", phase: fault.PhaseBegin, readsOnly: true, transactional: true},
	OpSavepoint:   {name: "SAVEPOINT", transactional: true},
	OpCommit:      {name: "COMMIT", phase: fault.PhaseCommit, transactional: true},
	OpRollback:    {name: "ROLLBACK", phase: fault.PhaseRollback, transactional: true, cleanup: true},
	OpRelease:     {name: "RELEASE SAVEPOINT", transactional: true},
	OpClose:       {name: "close", readsOnly: true, cleanup: true},
	OpTransaction: {name: "transaction", phase: fault.PhaseUnit, transactional: true},

	// The methods of a session, in alphabetical order.
	firstSessionOp: {name: "session.add", local: true},
	{name: "session.add_all", local: true},
	{name: "session.begin", transactional: true},
	{name: "session.begin_nested", transactional: true},
	{name: "session.close", transactional: true, cleanup: true},
	{name: "session.commit", phase: fault.PhaseCommit, transactional: true},
	{name: "session.connection", readsOnly: true},
	{name: "session.delete"},
	{name: "session.execute"},
	{name: "session.expire", local: true},
	{name: "session.expire_all", local: true},
	{name: "session.expunge", local: true},
	{name: "session.expunge_all", local: true},
	{name: "session.flush"},
	{name: "session.get"},
	{name: "session.get_one"},
	{name: "session.invalidate", transactional: true, cleanup: true},
	{name: "session.is_modified", local: true, readsOnly: true},
	{name: "session.merge"},
	{name: "session.query"},
	{name: "session.refresh"},
	{name: "session.reset", transactional: true, cleanup: true},
	{name: "session.rollback", phase: fault.PhaseRollback, transactional: true, cleanup: true},
	{name: "session.run_sync"},
	{name: "session.scalar"},
	{name: "session.scalars"},
	{name: "session.stream"},
	{name: "session.stream_scalars"},
}

func (o Op) info() *opInfo {
	if int(o) < len(opTable) && opTable[o].name != "" {
		return &opTable[o]
	}
	return &opTable[OpUnknown]
}

// String returns the operation's usual name: the SQL statement for transaction
// control and COPY, the pool's or driver's term for the others, and "session."
// with the method's name for a session's method.
func (o Op) String() string { return o.info().name }

// ReadsOnly reports whether the operation itself changes no data, whatever its
// SQL text, so that a retry is harmless.
func (o Op) ReadsOnly() bool { return o.info().readsOnly }

// Transactional reports whether the operation begins, ends or divides a
// transaction.
func (o Op) Transactional() bool { return o.info().transactional }

// Local reports whether the operation does no I/O.
func (o Op) Local() bool { return o.info().local }

// Cleanup reports whether the operation releases something, as a rollback or a
// close does. It matters most after a failure: interceptors must not refuse it
// or cut it short.
func (o Op) Cleanup() bool { return o.info().cleanup }

// Lasting reports whether a call of the operation stays open while its result
// is in use, long after the operation itself has ended: an open transaction, an
// acquired connection. An interceptor that measures the operation stops when
// next returns; one that measures the use stops in a finish hook.
func (o Op) Lasting() bool { return o == OpBegin || o == OpAcquire }

// Session reports whether the operation is a session's method, of
// [LevelSession].
func (o Op) Session() bool { return o >= firstSessionOp }

// Phase returns the phase of errors that the operation returns.
func (o Op) Phase() fault.Phase { return o.info().phase }
