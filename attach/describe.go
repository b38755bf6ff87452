package attach

import (
	"context"
	"database/sql/driver"

	"github.com/sessionproxy/sessionproxy"
)

// Reset makes a call out of a new or a pooled value: it clears everything and
// sets the performer. Attachments call it before they describe the call.
func Reset(call *sessionproxy.Call, p Performer) { of(call).Reset(p) }

// Bind reads the marks and the call above from ctx.
func Bind(ctx context.Context, call *sessionproxy.Call) { of(call).Bind(ctx) }

// NamedArgs returns arguments as database/sql hands them to a driver.
func NamedArgs(args []driver.NamedValue) sessionproxy.Args { return of(nil).NamedArgs(args) }

// PlainArgs returns positional arguments.
func PlainArgs(args []any) sessionproxy.Args { return of(nil).PlainArgs(args) }

// Context returns a context that tells calls made with it that call is at work
// above them: for the function of a unit of work, and for what a handle hands to
// the layer below. The marks of ctx stay, but for the name and the verifier of a
// commit, which belong to call.
func Context(ctx context.Context, call *sessionproxy.Call) context.Context {
	return of(call).Context(ctx)
}
