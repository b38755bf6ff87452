// Thirddriver attaches a client that the library does not know, neither
// database/sql nor pgx, to the pipeline; it needs no server:
//
//	go run -C examples ./thirddriver
//
// The client is client.go: connections of a SQLite driver and an interface of
// its own. The attachment is attachment.go, statement.go and unit.go, which use
// nothing of the library but its root and the packages attach and fault. A shop
// then meets a write lock with a statement and with a transaction, and loses its
// database. Every number of the output is measured. docs/attaching.md explains
// the steps.
package main
