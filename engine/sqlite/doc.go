// Package sqlite is the SQLite dialect for package engine, on
// modernc.org/sqlite, which needs no C compiler. Import it for its side effect:
//
//	import _ "github.com/sessionproxy/sessionproxy/engine/sqlite"
//
//	eng, err := engine.Open(ctx, "sqlite:data/shop.db")
//
// # URLs
//
//	sqlite:relative/path.db    or sqlite:///relative/path.db
//	sqlite:/absolute/path.db   or sqlite:////absolute/path.db
//	sqlite::memory:
//
// Three slashes mean the same as in SQLAlchemy. Parameters, with their
// defaults:
//
//	busy_timeout=5s      how long to wait for a lock of another process
//	journal_mode=wal     delete, truncate, persist, memory, wal or off
//	synchronous=full     off, normal, full or extra
//	foreign_keys=true    whether foreign keys are enforced
//	cache_size=…         pages, or kibibytes if negative; SQLite's own default
//	mode=rwc             ro, rw, or rwc, which makes the file if it is missing
//	statement_cache=64   prepared statements kept by each connection; 0 is none
//
// # Readers and the writer
//
// SQLite allows one writing connection at a time. So a database in a file has
// one connection for writing, whose transactions begin IMMEDIATE and so never
// fail halfway for lack of a lock, and a pool of connections that only read and
// do not wait for it. A transaction that is not declared read-only uses the
// writer; so does a statement of the engine that is not certain to only read.
// Waiting for the writer counts as waiting for the pool.
//
// A database in memory has one connection, which serves all callers in turn: a
// statement of the engine waits for the open transaction.
//
// # Types
//
// Times are stored as text in UTC, with nanoseconds, so that they sort and
// SQLite's own functions understand them. A column declared DATE, DATETIME or
// TIMESTAMP yields a time.Time, one declared BOOL or BOOLEAN a bool.
package sqlite
