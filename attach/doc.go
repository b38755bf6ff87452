// Package attach is for driver integrations (attachments): code that puts the
// pipeline into the API of a driver or of another layer, as driver/sqldb does
// for database/sql and driver/pgxdb for pgx. Applications and interceptors do
// not need it.
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
// The [Performer] talks to the driver. It may be asked to perform again, so a
// failed attempt must leave nothing behind that affects the next one. It judges
// errors with [sessionproxy.Call.Judge], because only it knows in which phase
// an error arose and whether the statement may have reached the server. If its
// result outlives Do (rows, a transaction), it calls [KeepOpen], and [Finish]
// when the result ends.
//
// With an empty chain an attachment calls the driver directly.
package attach
