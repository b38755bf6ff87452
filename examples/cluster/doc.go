// Cluster kills a primary under load.
//
//	go run -C examples ./cluster
//
// It starts a private PostgreSQL and two standbys, to which its commits are
// synchronous. Twelve callers move money between accounts through one handle
// (pgxdb.NewCluster), and read balances from the standbys. After a second the
// primary is killed, and a second later one of the standbys is promoted. Then it
// prints what the callers saw, as a picture over time and in numbers, and what
// the new primary has. Every number is measured.
package main
