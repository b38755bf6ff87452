// Package postgres is the dialect of PostgreSQL for package engine, on pgx
// itself, not on database/sql. It is imported for its side effect:
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
// What the URL leaves out is taken from libpq's environment variables and
// password file.
//
// # Types
//
// Arguments and rows travel in PostgreSQL's binary formats as far as pgx knows
// them. Read without a type, json and jsonb are texts, uuid and numeric are
// strings, exact to the last digit, arrays are []any, and what has no Go type
// of its own is the text that PostgreSQL would print.
//
// # Streams
//
// A stream of a SELECT is a cursor, from which a window of rows is fetched at a
// time, in the open transaction or in one of its own. Stopping it closes the
// cursor. Other statements that return rows are read as they come.
//
// # Batches
//
// [engine.Executor].ExecuteBatch and ExecuteMany send all statements in one
// round trip, and one more for those that a connection has not prepared yet.
//
// In a transaction, 256 or more rows of the same INSERT … VALUES ($1, $2, …), with
// RETURNING or without, become one INSERT … SELECT … FROM unnest(…) ORDER BY the
// arguments' place, if the columns are of PostgreSQL's common types: that takes
// less than half of the time, and still gives one outcome for each. It is sent
// within a savepoint. Should a row be refused, or skipped by a trigger, the
// statements are sent again as they are. Triggers for each statement fire once.
//
// So do 64 or more of the same UPDATE … SET a = $1, … WHERE id = $2 AND …, or
// DELETE like it, without RETURNING, if no two of them have the same keys: those
// columns behind WHERE, integers, texts or UUIDs, that are not assigned. Rows
// are locked in the order of the statements before the first is changed. Should
// a statement find no row, they are sent again as they are.
package postgres
