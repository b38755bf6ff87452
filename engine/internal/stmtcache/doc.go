// Package stmtcache keeps the prepared statements of a connection of a
// database/sql driver, so that a text that comes again is not prepared again.
// It stands below the chain: a statement stays one call.
package stmtcache
