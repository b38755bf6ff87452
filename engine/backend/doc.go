// Package backend is the contract between an engine and its dialects, as
// database/sql/driver is between database/sql and its drivers. Programs use
// package engine; this package is for authors of dialects.
//
// A dialect is an [Opener], registered for the schemes of its URLs when it is
// imported:
//
//	func init() { backend.Register("mydb", opener{}) }
//
// Open reads the parameters that it knows from the [URL] ([URL.Read] reports
// unknown ones) and returns a [DB]. Statements arrive rendered, in the
// database's own syntax and with the properties that their SQL text shows
// ([BoundStatement]); results are returned in memory as a [Result] or open as a
// [Cursor]. Everything that a DB sends passes through the chain of its
// [Config], which package driver/sqldb or driver/pgxdb takes care of.
//
// Package engine/enginetest is the contract as a suite of tests. The dialects of
// this module, engine/sqlite first, are examples.
package backend
