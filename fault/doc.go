// Package fault says what a database error means: what class of fault it is,
// what became of the work, what may be retried, and whether the server is to
// blame. Retry, circuit breaker, tracing and logs all read the same verdict, so
// they can't disagree:
//
//	v := fault.Of(err, fault.Situation{Phase: fault.PhaseStatement, InTx: true})
//	if v.Retry == fault.RetryTransaction {
//		// roll back and run the whole transaction again
//	}
//
// [Of] knows the errors of PostgreSQL (pgx, lib/pq), MySQL and MariaDB
// (go-sql-driver/mysql), SQLite (modernc.org/sqlite, mattn/go-sqlite3), of
// database/sql, of the network and of contexts. It recognises drivers by the
// shape of their errors and imports none of them. Any other error is
// [ClassUnknown], which is never retried.
//
// Five rules hold whatever the tables say:
//
//  1. A statement inside a transaction is never retried by itself.
//  2. A COMMIT whose answer was lost is never retried: [ErrCommitUnknown].
//  3. A write that may have reached the server is retried only if the caller
//     declared it idempotent.
//  4. A caller that gave up is never retried and never counts against the
//     server.
//  5. The database's error stays reachable in whatever is returned.
//
// A verdict that a statement outside a transaction was undone holds only for a
// statement that takes effect entirely or not at all. [Of] does not see the SQL
// text: code that retries a statement must know that it is such a statement, as
// package retry does from a list. On MySQL and MariaDB the verdict is about
// transactional tables alone; and nothing undoes effects beyond the transaction,
// which no text shows: those of triggers on other tables, of functions and what
// they call (dblink, foreign tables, files), of sequences, and of locks and
// variables of the session.
//
// A limit on the wait for a lock is obeyed if it was set explicitly: failures
// of NOWAIT and lock_timeout are not retried at all. Failures of a default
// limit (1205, SQLITE_BUSY) are retried only as a whole transaction.
//
// Package integrity describes violated constraints.
//
// The package holds no state that a caller can see; everything in it is safe
// for concurrent use. docs/faults.md has the tables and their sources.
package fault
