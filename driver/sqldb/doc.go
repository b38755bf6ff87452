// Package sqldb attaches the pipeline to database/sql.
//
// There are two ways to use it.
//
// [Open], [OpenDB] and [Register] return a standard *sql.DB whose driver passes
// every operation through the chain. Anything that runs on a *sql.DB runs on it
// unchanged: sqlc, sqlx, gorm, bun, ent, goose.
//
//	db, err := sqldb.Open("pgx", dsn, chain)
//
// [Wrap] returns a handle with the methods of *sql.DB on which a retry can take
// another connection, and [DB.RunInTx] can replay a whole transaction:
//
//	handle, err := sqldb.Wrap(db)
//	err = handle.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error { … })
//
// Both run the same chain. If you use both, the handle's call is the logical
// operation and the driver's work below is part of it: one span, counted once.
//
// # How it is built
//
// The interception itself is done by github.com/ngrok/sqlmw, between two shims:
// the one below it has every optional interface, whether or not the driver has
// it, and the one above it shows database/sql exactly the interfaces that the
// driver has. Every connection has its own interceptor, so that the
// connection's state is available without a look-up.
//
//	database/sql → facadeConn → sqlmw → driverConn → driver
//
// # What is kept
//
// A driver loses no features: NamedValueChecker, ColumnConverter,
// SessionResetter, Validator, the column type interfaces, multiple result sets,
// io.Closer of its connector and refusal of unsupported transaction options
// work as without this package. [Raw] returns the driver's own connection;
// [WithDriverConns] is for code that can't call it. A driver's ErrSkip is not a
// failure: the statement is prepared and run within the same call.
//
// # driver.ErrBadConn
//
// database/sql sends a statement again, up to three times, when a driver
// answers driver.ErrBadConn. Some drivers do so although the statement was sent
// (pgx 5.9 to 5.12, lib/pq). This package passes the error on only if it is
// certain that nothing was sent, or that sending it again changes nothing;
// otherwise it is replaced by an error with the original's message that does
// not match driver.ErrBadConn. See docs/retry.md.
package sqldb
