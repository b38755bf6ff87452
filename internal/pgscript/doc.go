// Package pgscript is a PostgreSQL back end that does as it is told: it answers
// well enough for drivers to log in and run statements, counts what it reads,
// and dies at a chosen moment. It stands in for a server whose death has to
// fall between two messages, which a real one can't be made to do.
package pgscript
