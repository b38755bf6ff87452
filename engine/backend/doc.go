// Package backend is the contract between an engine and the dialects below it,
// as database/sql/driver is between database/sql and its drivers. Programs use
// package engine; this package is for those who write a dialect.
//
// A dialect is an [Opener], registered for the schemes of its URLs when it is
// imported:
//
//	func init() { backend.Register("mydb", opener{}) }
//
// Open reads what it understands of the [URL] ([URL.Read] finds parameters
// that nobody understands) and returns a [DB]. Statements arrive rendered, in
// the database's own syntax and with what their text tells of them
// ([BoundStatement]); answers go back as a [Result] in memory or an open
// [Cursor]. Everything that a DB sends passes through the chain of its
// [Config], which package driver/sqldb or driver/pgxdb sees to.
//
// Package engine/enginetest is the contract as a suite of tests. The dialects of
// this module, engine/sqlite first, are examples.
package backend
