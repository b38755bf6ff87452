// Package mysqlfaults has the errors of go-sql-driver/mysql for package sptest, with
// MySQL and with MariaDB. Each value is provoked, once, against a server on loopback
// that answers like them.
package mysqlfaults
