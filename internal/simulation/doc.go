// Package simulation runs chains against a simulated database in virtual time:
// inside [testing/synctest] an outage of a minute takes no longer than the calls
// made in it, and a bound on recovery is exact.
//
// A [Server] serves statements with a given capacity, in the order in which they
// come, and fails the way servers do: it crashes, shuts down, starts, hangs, is
// promoted, ends sessions, gets slower. A [DB] attaches a chain to it, as
// driver/sqldb attaches one to database/sql: a pool of connections, handles whose
// calls take a connection for each attempt, handles whose calls hold one already,
// and units of work. [Callers] send it work and keep what came of it.
//
// What is drawn comes from a seed. Calls have a source of their own each, so
// that a seed gives the same history again, but for the order of what happens at
// the very same moment.
package simulation
