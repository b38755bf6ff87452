// Package pgprovoke has a driver of PostgreSQL meet every error that package sptest
// makes, against a back end that does as it is told: the values are those that the
// driver makes of a server's messages.
package pgprovoke
