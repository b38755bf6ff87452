// Package proxy runs the methods of a session whether its caller blocks or
// awaits.
//
// A method of an awaited session returns at once with a [Future], or a
// [Completion] if it has no result; the operations run one after the other, in
// the order in which they were asked for, on a goroutine that exists only
// while there is work:
//
//	user := …                    // a Future[User]
//	total := …                   // a Future[int]; both are under way
//	u, err := user.Await(ctx)
//
// The future of a blocking session is settled when it is returned, so the same
// code serves both.
package proxy
