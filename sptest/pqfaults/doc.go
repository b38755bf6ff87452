// Package pqfaults has the errors of lib/pq for package sptest. Each value is
// provoked, once, against a back end on loopback that answers like PostgreSQL.
package pqfaults
