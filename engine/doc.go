// Package engine gives one connection, transaction and result API over
// PostgreSQL, MySQL, MariaDB and SQLite, in the manner of SQLAlchemy's engine
// layer, with every statement passed through a chain of interceptors.
//
//	import _ "github.com/sessionproxy/sessionproxy/engine/sqlite"
//
//	eng, err := engine.Open(ctx, "sqlite:shop.db", engine.WithChain(chain))
//	…
//	err = eng.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
//		_, err := tx.Execute(ctx, engine.Text("UPDATE stock SET n = n - 1 WHERE item = ?", item))
//		return err
//	})
//
// A URL names a database. Its scheme selects a dialect, which a program imports
// for its side effect, like a database/sql driver.
//
// # Engine, connection, transaction
//
// An [Engine] is a pool of connections, created once and shared by all
// goroutines. [Engine.Execute] runs one statement in its own transaction.
// [Engine.RunInTx] runs a unit of work, which a retry in the chain may replay
// as a whole. [Engine.Connect] takes a connection from the pool and
// [Engine.Begin] one with an open transaction.
//
// The first statement on a [Conn] begins a transaction automatically; Commit
// ends it, and whatever is uncommitted when the connection is closed is rolled
// back. [WithAutocommit] turns that off.
//
// # Results
//
// [Engine.Execute] and similar methods buffer the result in a [Result]. A
// [Stream] holds one window of rows in memory, whatever the size of the result.
//
// # Errors
//
// The database's own error stays reachable by [errors.As]. A violated
// constraint is a *integrity.Error of package fault/integrity on every database.
// No error shows an argument or a password.
package engine
