// Command sqlalchemy is what a user of SQLAlchemy's sessions writes, in Go: seven
// examples, each of which says in a comment what it would be in Python. It runs on
// SQLite in memory, or on the database of a URL:
//
//	go run -C examples ./sqlalchemy
//	go run -C examples ./sqlalchemy -url postgres://app:secret@db.example.com/app
//
// It makes the tables it needs and drops them at the end, so give it a database of
// its own. The page docs/from-sqlalchemy.md has the rest, method by method.
package main
