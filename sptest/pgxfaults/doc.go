// Package pgxfaults has the errors of pgx for package sptest: as pgx returns them
// natively, and as its database/sql driver does, which passes them on. Each value is
// provoked, once, against a back end on loopback that answers like PostgreSQL.
package pgxfaults
