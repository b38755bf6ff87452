package engine

// A Gatherer is a [BackendConn] that can send statements together that belong
// to different functions.
type Gatherer interface {
	// Together calls functions in order, and sends in one round trip the
	// statements that they run with the connection, one each. It is called in a
	// transaction. See [Conn.Together].
	Together(fns []func())
}

// Together calls functions in order, of which each runs one statement with the
// connection, and sends the statements in one round trip where the database
// can. Each has its own result and error, and passes through the chain as a
// call of its own. After the first that fails, the others fail with a
// [PipelineAbortedError], as in a transaction that is aborted.
//
// The functions run on goroutines of their own, one at a time: the second
// begins when the first waits for its answer; when the answers are there the
// first goes on to its end before the second does. What can't be sent with
// others, such as CREATE TABLE or a savepoint, is sent by itself, in its order.
// Until there is a transaction, and where the database has no pipelines, the
// functions are simply called.
//
// It returns when all functions have. It does not recover their panics.
func (c *Conn) Together(fns ...func()) {
	g, ok := c.conn.(Gatherer)
	for len(fns) > 0 && (!ok || c.root == nil || len(fns) == 1) {
		fns[0]()
		fns = fns[1:]
	}
	if len(fns) > 0 {
		g.Together(fns)
	}
}
