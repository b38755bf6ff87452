// Package sqlbackend is what the dialects on database/sql have in common: a pool, a
// connection and a cursor of package engine over package driver/sqldb.
package sqlbackend
