// Package pgfake is a PostgreSQL back end without a database: a [net.Conn] that
// answers from messages encoded beforehand, on the goroutine that writes to it.
// There is neither a socket nor a switch between goroutines, so that what is
// measured on it is the client.
//
// It speaks as much of the protocol's version 3 as pgx needs: startup without
// authentication, simple and extended queries, pipelines, COPY from the client.
// It does not know SQL: a statement it was not told of is an error.
package pgfake
