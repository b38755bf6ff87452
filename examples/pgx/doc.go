// Pgx puts a repository over a pool of pgx behind the pipeline.
//
//	go run -C examples ./pgx
//
// It starts a private PostgreSQL for that, or uses the one that
// SESSIONPROXY_POSTGRES_URL names. A shop fills its stock by COPY and in a
// batch, sells while another session sells the same thing, and loses all of its
// connections. Then it prints the spans as trees, and what it counted. Every
// number is measured.
package main
