// Package sqlitefaults has the errors of modernc.org/sqlite for package sptest. The
// driver's error type keeps its code to itself, so each value is provoked, once, on a
// database in a temporary folder.
//
// An embedded database has no connection to lose. [ErrLost] stands in for that, so
// that what you test on SQLite meets the faults of a server too.
package sqlitefaults
