// Package stream is the state of a stream of rows that is open on an async
// connection: its reads have a queue of their own, and the connection's is held
// until the stream has ended. It reads no rows itself.
package stream
