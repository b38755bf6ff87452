// Package sqldb attaches the pipeline to database/sql.
//
// There are two ways in, for two needs.
//
// [Open], [OpenDB] and [Register] give a standard *sql.DB whose driver passes
// every operation through the chain. Whatever runs on a *sql.DB runs on it
// unchanged: sqlc, sqlx, gorm, bun, ent, goose.
//
//	db, err := sqldb.Open("pgx", dsn, chain)
//
// [Wrap] gives a handle with the methods of *sql.DB on which a retry can take
// another connection, and [DB.RunInTx] can perform a whole transaction again:
//
//	h, err := sqldb.Wrap(db)
//	err = h.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error { … })
//
// Both run the same chain. Where both are in use, the handle's call is the
// logical operation and the driver's work below it is a part of it: one span,
// counted once.
//
// # How it is built
//
// The interception itself is github.com/ngrok/sqlmw's. It stands between two
// shims: one below it, which answers for every optional interface whether the
// driver has it, and one above it, which offers to database/sql just what the
// driver offers. Every connection has an interceptor of its own, so that the
// state of the connection is at hand without a look-up.
//
//	database/sql → facadeConn → sqlmw → driverConn → driver
//
// # What is kept
//
// A driver loses nothing: NamedValueChecker, ColumnConverter, SessionResetter,
// Validator, the column type interfaces, multiple result sets, io.Closer of
// its connector and refusal of unsupported transaction options work as without
// this package. [Raw] gives the driver's own connection back; [WithDriverConns]
// is for code that can't be told of it. A driver's ErrSkip is no failure: the
// statement is prepared and performed within the same call.
//
// # driver.ErrBadConn
//
// database/sql sends a statement again, up to three times, when a driver
// answers driver.ErrBadConn. Some drivers give this answer although the
// statement was sent (pgx 5.9 to 5.12, lib/pq). This package passes it on only
// where it is certain that nothing was sent, or that nothing is changed by
// sending it again; otherwise it is replaced by an error that wraps the
// original's text and does not match driver.ErrBadConn. See docs/retry.md.
package sqldb
