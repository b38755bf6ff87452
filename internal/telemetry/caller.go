package telemetry

import (
	"runtime"
	"strings"
)

// module is the path of this library, of which the tests are no part.
const module = "github.com/sessionproxy/sessionproxy"

// ForOthers reports whether a function is of this library, of a driver or of Go's
// runtime: of what performs calls for others.
func ForOthers(function string) bool {
	if rest, ours := strings.CutPrefix(function, module); ours {
		return !strings.Contains(rest, "_test.")
	}
	for _, library := range []string{"database/sql.", "github.com/ngrok/sqlmw.", "github.com/jackc/pgx/", "runtime."} {
		if strings.HasPrefix(function, library) {
			return true
		}
	}
	return false
}

// Caller returns the place in the program that has made the call that is being
// performed; false if the goroutine has none, as that of an async session.
func Caller() (at runtime.Frame, ok bool) {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for more := true; more; {
		if at, more = frames.Next(); at.Function != "" && !ForOthers(at.Function) {
			return at, true
		}
	}
	return runtime.Frame{}, false
}
