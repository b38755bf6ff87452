// Quickstart shows the pipeline at work on embedded SQLite; it needs no
// server:
//
//	go run -C examples ./quickstart
//
// It sells things in a small shop, has a transaction meet a write lock that
// another connection really holds, and takes the database's folder away while
// the shop is open. Then it prints the trace as a tree, and what it counted.
// Every number is measured.
package main
