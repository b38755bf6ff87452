// Package attach is for those who bring the pipeline to a driver or to a layer
// of their own, as driver/sqldb does for database/sql and driver/pgxdb for pgx.
// Who writes an interceptor, or uses the library, needs nothing of it.
//
// An attachment composes a chain once, around [Perform]:
//
//	handler := chain.Then(attach.Perform)
//
// For each operation it takes a call, describes it, and runs it:
//
//	call := new(sessionproxy.Call) // or one from a pool
//	attach.Reset(call, op)         // op is the [Performer]
//	attach.Bind(ctx, call)
//	call.Op, call.Text, call.Args = sessionproxy.OpExec, text, attach.PlainArgs(args)
//	open, err := attach.Run(ctx, call, handler)
//
// The [Performer] talks to the driver. It may be asked to perform again, so an
// attempt leaves nothing behind that the next one would find. Of an error it
// says what only it knows, with [sessionproxy.Call.Judge]: in which phase it arose, and whether
// the statement may have reached the server. If its result lives on (rows, a
// transaction), it calls [KeepOpen], and [Finish] when the result ends.
//
// With an empty chain an attachment goes straight to the driver.
package attach
