// Package gate bounds how many connections of a pool are in use, and how long
// a caller waits for one. Pools of drivers bound their number too, but not the
// wait alone: their only limit of time is the context, which is the
// statement's as well.
package gate
