package attach

import (
	"context"
	"database/sql/driver"

	"github.com/sessionproxy/sessionproxy"
)

// Reset prepares a new or pooled call: it clears everything and sets the
// performer. Call it first, before you describe the call.
func Reset(call *sessionproxy.Call, p Performer) { of(call).Reset(p) }

// Bind sets the call's marks and its parent from ctx.
func Bind(ctx context.Context, call *sessionproxy.Call) { of(call).Bind(ctx) }

// NamedArgs returns arguments as database/sql passes them to a driver.
func NamedArgs(args []driver.NamedValue) sessionproxy.Args { return of(nil).NamedArgs(args) }

// PlainArgs returns positional arguments.
func PlainArgs(args []any) sessionproxy.Args { return of(nil).PlainArgs(args) }

// Context returns a context whose calls have call as their parent: for the
// function of a unit of work, and for what a handle passes to the layer below.
// It keeps the marks of ctx, except the name and the verifier of a commit,
// which belong to call.
func Context(ctx context.Context, call *sessionproxy.Call) context.Context {
	return of(call).Context(ctx)
}
