// Package fault says what a database error means: what class of fault it is,
// what became of the work, what may be repeated, and whether the server is to
// blame. Retry, circuit breaker, tracing and logs read one and the same
// verdict, so that they can't disagree:
//
//	v := fault.Of(err, fault.Situation{Phase: fault.PhaseStatement, InTx: true})
//	if v.Retry == fault.RetryTransaction {
//		// roll back and run the whole transaction again
//	}
//
// [Of] knows the errors of PostgreSQL (pgx, lib/pq), MySQL and MariaDB
// (go-sql-driver/mysql), SQLite (modernc.org/sqlite, mattn/go-sqlite3), of
// database/sql, of the network and of contexts. It recognises drivers by the
// shape of their errors and imports none of them. What it does not know is
// [ClassUnknown], which is never repeated.
//
// Five rules hold whatever the tables say:
//
//  1. A statement inside a transaction is never repeated alone.
//  2. A COMMIT whose answer was lost is never repeated: [ErrCommitUnknown].
//  3. A write that may have reached the server is repeated only if the caller
//     declared it idempotent.
//  4. A caller that gave up is never retried and never counts against the
//     server.
//  5. The database's error stays reachable in whatever is returned.
//
// That a statement is undone, outside a transaction, is true of one that takes
// effect as a whole or not at all. [Of] does not see the text: whoever repeats a
// statement has to know that it is one, as package retry does by a list.
//
// A limit on the wait for a lock that somebody set is obeyed: NOWAIT and
// lock_timeout are not repeated at all, and what has such a limit by default
// (1205, SQLITE_BUSY) only as a whole transaction.
//
// The package holds no state that a caller can see; everything in it is safe
// for concurrent use. The tables and their sources stand in docs/faults.md.
package fault
