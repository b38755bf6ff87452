// Package postgres is the PostgreSQL dialect for package engine, on pgx itself,
// not on database/sql. Import it for its side effect:
//
//	import _ "github.com/sessionproxy/sessionproxy/engine/postgres"
//
//	eng, err := engine.Open(ctx, "postgres://user:password@host:5432/shop")
//
// # URLs
//
//	postgres://user:password@host:5432/database
//	postgresql://host/database?sslmode=verify-full
//	postgres:///database?host=/run/postgresql
//
// Parameters, with their defaults:
//
//	sslmode=prefer           disable, allow, prefer, require, verify-ca, verify-full
//	sslrootcert, sslcert, sslkey, sslpassword
//	host                     a folder with the server's socket
//	connect_timeout=10s      for dialling and the handshake
//	application_name         as pg_stat_activity shows it
//	search_path, timezone, options   of the session
//	statement_timeout, lock_timeout, idle_in_transaction_session_timeout  of the session
//	target_session_attrs=any read-write, read-only, primary, standby, prefer-standby
//	statement_cache=512      prepared statements kept by each connection; 0 is none
//	pooler=none              transaction: a pooler between gives each transaction the
//	                         connection that is free. Then statements are not prepared;
//	                         descriptions of as many are kept. The parameters of the
//	                         session are refused, but for timezone and application_name.
//
// Settings that the URL leaves out are taken from libpq's environment variables
// and password file.
//
// # Types
//
// Arguments and rows are sent in PostgreSQL's binary formats where pgx supports
// them. Read without a type, json and jsonb are text, uuid and numeric are
// exact strings, arrays are []any, and values without a Go type are the text
// that PostgreSQL would print.
//
// # Streams
//
// A stream of a SELECT is a cursor, from which one window of rows is fetched at
// a time, in the open transaction or its own. Stopping it closes the cursor.
// Rows of other statements are read as they arrive.
//
// # Batches
//
// [engine.Executor].ExecuteBatch and ExecuteMany send all statements in one
// round trip, and one more for those that a connection has not prepared yet.
//
// In a transaction, 256 or more rows of the same INSERT … VALUES ($1, $2, …),
// with or without RETURNING, become one INSERT … SELECT … FROM unnest(…) ORDER
// BY the arguments' position, if the columns have PostgreSQL's common types:
// that takes less than half the time, and still yields one result per row. It
// is sent in a savepoint. If a row is refused, or skipped by a trigger, the
// original statements are sent instead. Statement-level triggers fire once.
//
// The same happens to 64 or more executions of the same UPDATE … SET a = $1, …
// WHERE id = $2 AND …, or a similar DELETE, without RETURNING, if no two of
// them have the same keys: the integer, text or UUID columns in WHERE that are
// not assigned. Rows are locked in the order of the statements before the first
// is changed. If a statement finds no row, the original statements are sent
// instead.
package postgres
