package tracing

import "runtime/debug"

const (
	modulePath = "github.com/sessionproxy/sessionproxy"
	// scopeName is the instrumentation scope: this package's import path.
	scopeName = modulePath + "/tracing"
)

// version returns the library's version as the program was built with it, or
// "" if that is not known.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if info.Main.Path == modulePath {
		return info.Main.Version
	}
	for _, m := range info.Deps {
		if m.Path == modulePath {
			return m.Version
		}
	}
	return ""
}
