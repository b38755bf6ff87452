// Sqlc runs code that sqlc generated, as it is, through the pipeline: in pgx
// mode on driver/pgxdb and in database/sql mode on driver/sqldb.
//
//	go run -C examples ./sqlc
//
// It starts a private PostgreSQL for that, or uses the one that
// SESSIONPROXY_POSTGRES_URL names. A small library lends books: with a COPY,
// with batches, and with units of work that are replayed when two readers want
// the same book. Then it prints the spans as trees.
package main

//go:generate sqlc generate
