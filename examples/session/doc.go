// Command session keeps accounts and transfers with package orm: objects in,
// the right SQL out, in one transaction. It runs on SQLite in memory, or on the
// database of a URL:
//
//	go run -C examples ./session
//	go run -C examples ./session -url postgres://app:secret@db.example.com/bank
//
// It makes the tables it needs and drops them at the end, so give it a database
// of its own. It prints the spans of what it did, and what came of it.
package main
