package sessionproxy

import "github.com/sessionproxy/sessionproxy/fault"

// Level tells which layer a [Call] belongs to.
type Level uint8

const (
	// LevelStatement is the level of what is sent to the database: statements,
	// transaction control, connections.
	LevelStatement Level = iota
	// LevelSession is the level of the methods of a unit-of-work session,
	// which emit calls of [LevelStatement] or none.
	LevelSession
)

// String returns "statement" or "session".
func (l Level) String() string {
	if l == LevelSession {
		return "session"
	}
	return "statement"
}

// Scope tells what a handler has at hand to perform a [Call], and so what
// repeating it can achieve.
type Scope uint8

const (
	// ScopeConn is the scope of a call bound to one connection: repeated, it
	// runs on the same connection.
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
	// OpUnknown is the zero Op; no attachment makes a call with it.
	OpUnknown Op = iota
	// OpConnect opens a connection to the server.
	OpConnect
	// OpPing verifies a connection.
	OpPing
	// OpAcquire takes a connection from a pool that lets us see it. The call is
	// finished when the connection is given back.
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

// The operations of [LevelSession], one per method of a session.
const (
	// OpSessionAdd puts an object into the session.
	OpSessionAdd Op = iota + 64
	// OpSessionAddAll puts several objects into the session.
	OpSessionAddAll
	// OpSessionBegin begins the session's transaction.
	OpSessionBegin
	// OpSessionBeginNested begins a savepoint.
	OpSessionBeginNested
	// OpSessionClose closes the session.
	OpSessionClose
	// OpSessionCommit flushes and commits.
	OpSessionCommit
	// OpSessionConnection gives the connection of the session's transaction.
	OpSessionConnection
	// OpSessionDelete marks an object as deleted.
	OpSessionDelete
	// OpSessionExecute runs a statement and buffers its result.
	OpSessionExecute
	// OpSessionExpire expires an object's attributes.
	OpSessionExpire
	// OpSessionExpireAll expires every object of the session.
	OpSessionExpireAll
	// OpSessionExpunge removes an object from the session.
	OpSessionExpunge
	// OpSessionExpungeAll removes every object from the session.
	OpSessionExpungeAll
	// OpSessionFlush sends pending changes.
	OpSessionFlush
	// OpSessionGet reads an object by its key.
	OpSessionGet
	// OpSessionGetOne reads an object by its key, which has to exist.
	OpSessionGetOne
	// OpSessionInvalidate closes the session and discards its connection.
	OpSessionInvalidate
	// OpSessionIsModified compares an object with its loaded state.
	OpSessionIsModified
	// OpSessionMerge copies an object's state into the session.
	OpSessionMerge
	// OpSessionQuery runs a query of the legacy style.
	OpSessionQuery
	// OpSessionRefresh reads an object again.
	OpSessionRefresh
	// OpSessionReset closes the session for reuse.
	OpSessionReset
	// OpSessionRollback rolls back.
	OpSessionRollback
	// OpSessionRunSync runs a blocking function on the session.
	OpSessionRunSync
	// OpSessionScalar reads the first column of the first row.
	OpSessionScalar
	// OpSessionScalars reads the first column of every row.
	OpSessionScalars
	// OpSessionStream opens a windowed result.
	OpSessionStream
	// OpSessionStreamScalars opens a windowed result of one column.
	OpSessionStreamScalars
)

// opInfo is what is known of an operation.
type opInfo struct {
	name          string
	phase         fault.Phase
	readsOnly     bool
	transactional bool
	local         bool
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
	OpRollback:    {name: "ROLLBACK", phase: fault.PhaseRollback, transactional: true},
	OpRelease:     {name: "RELEASE SAVEPOINT", transactional: true},
	OpClose:       {name: "close", readsOnly: true},
	OpTransaction: {name: "transaction", phase: fault.PhaseUnit, transactional: true},

	OpSessionAdd:           {name: "session.add", local: true},
	OpSessionAddAll:        {name: "session.add_all", local: true},
	OpSessionBegin:         {name: "session.begin", transactional: true},
	OpSessionBeginNested:   {name: "session.begin_nested", transactional: true},
	OpSessionClose:         {name: "session.close", transactional: true},
	OpSessionCommit:        {name: "session.commit", phase: fault.PhaseCommit, transactional: true},
	OpSessionConnection:    {name: "session.connection", readsOnly: true},
	OpSessionDelete:        {name: "session.delete"},
	OpSessionExecute:       {name: "session.execute"},
	OpSessionExpire:        {name: "session.expire", local: true},
	OpSessionExpireAll:     {name: "session.expire_all", local: true},
	OpSessionExpunge:       {name: "session.expunge", local: true},
	OpSessionExpungeAll:    {name: "session.expunge_all", local: true},
	OpSessionFlush:         {name: "session.flush"},
	OpSessionGet:           {name: "session.get"},
	OpSessionGetOne:        {name: "session.get_one"},
	OpSessionInvalidate:    {name: "session.invalidate", transactional: true},
	OpSessionIsModified:    {name: "session.is_modified", local: true, readsOnly: true},
	OpSessionMerge:         {name: "session.merge"},
	OpSessionQuery:         {name: "session.query"},
	OpSessionRefresh:       {name: "session.refresh"},
	OpSessionReset:         {name: "session.reset", transactional: true},
	OpSessionRollback:      {name: "session.rollback", phase: fault.PhaseRollback, transactional: true},
	OpSessionRunSync:       {name: "session.run_sync"},
	OpSessionScalar:        {name: "session.scalar"},
	OpSessionScalars:       {name: "session.scalars"},
	OpSessionStream:        {name: "session.stream"},
	OpSessionStreamScalars: {name: "session.stream_scalars"},
}

func (o Op) info() *opInfo {
	if int(o) < len(opTable) && opTable[o].name != "" {
		return &opTable[o]
	}
	return &opTable[OpUnknown]
}

// String returns the operation's name in the field's own words: the SQL
// statement for transaction control and COPY, the pool's or driver's term for
// the others, "session." and the method for those of a session.
func (o Op) String() string { return o.info().name }

// ReadsOnly reports that the operation changes no data by itself, whatever
// its text, so that repeating it is harmless.
func (o Op) ReadsOnly() bool { return o.info().readsOnly }

// Transactional reports that the operation begins, ends or divides a transaction.
func (o Op) Transactional() bool { return o.info().transactional }

// Local reports that the operation does no I/O.
func (o Op) Local() bool { return o.info().local }

// Lasting reports that a call of the operation stays open for as long as its
// result is used, long after the operation itself is over: a transaction that
// was begun, a connection that was taken. An interceptor that is interested in
// the operation ends its work when next returns, one that is interested in the
// use at the finish of the call.
func (o Op) Lasting() bool { return o == OpBegin || o == OpAcquire }

// Session reports that the operation is a session's method, of [LevelSession].
func (o Op) Session() bool { return o >= OpSessionAdd }

// Phase returns the phase in which an error of the operation arises.
func (o Op) Phase() fault.Phase { return o.info().phase }
