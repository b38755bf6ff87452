// Package proxy runs the methods of a session for callers that block and for
// callers that await.
//
// A method of an async session returns at once with a [Future], or with a
// [Completion] if it has no result; the operations run one after the other, in
// the order of the calls, on a goroutine that exists only while there is work:
//
//	user := …                    // a Future[User]
//	total := …                   // a Future[int]; both are under way
//	u, err := user.Await(ctx)
//
// The futures of a blocking session are settled when they are returned, so the
// same code works with both.
package proxy
