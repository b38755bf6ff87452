// Package queue performs operations one after the other, in the order of their
// submission, on a goroutine that exists only while there is work. It is the
// scheduler of async sessions and connections, and knows no SQL.
//
// An [Operation] has two phases: run, the I/O, on the queue's goroutine, and
// finish, on the goroutine of the session's owner, which writes results into
// the caller's objects. [Unapplied] keeps the operations whose second phase is
// due, in program order. So no object is ever touched by two goroutines.
package queue
