package backend

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// registry holds the openers by URL scheme.
var registry struct {
	sync.RWMutex
	openers map[string]Opener
}

// dialects are the packages of this module that open a scheme, for the error
// that names the import which is missing.
var dialects = map[string]string{
	"postgres":   "postgres",
	"postgresql": "postgres",
	"mysql":      "mysql",
	"mariadb":    "mysql",
	"sqlite":     "sqlite",
}

const importPath = "github.com/sessionproxy/sessionproxy/engine/"

// Register makes an opener available for URLs of the scheme, which is in lower
// case. A dialect calls it when it is imported. Register panics if the opener
// is nil or the scheme is taken, as [database/sql.Register] does.
func Register(scheme string, o Opener) {
	registry.Lock()
	defer registry.Unlock()
	if o == nil {
		panic("engine: register: the opener of scheme " + scheme + " is nil")
	}
	if _, taken := registry.openers[scheme]; taken {
		panic("engine: register: scheme " + scheme + " is taken")
	}
	if registry.openers == nil {
		registry.openers = map[string]Opener{}
	}
	registry.openers[scheme] = o
}

// Schemes returns the URL schemes that can be opened, sorted.
func Schemes() []string {
	registry.RLock()
	defer registry.RUnlock()
	return slices.Sorted(maps.Keys(registry.openers))
}

// OpenerFor returns the opener of a scheme, or an error that says what to
// import.
func OpenerFor(scheme string) (Opener, error) {
	registry.RLock()
	o, ok := registry.openers[scheme]
	registry.RUnlock()
	if ok {
		return o, nil
	}
	if pkg, known := dialects[scheme]; known {
		return nil, fmt.Errorf("engine: open: scheme %q has no dialect: add import _ %q", scheme, importPath+pkg)
	}
	known := strings.Join(slices.Sorted(maps.Keys(dialects)), ", ")
	return nil, fmt.Errorf("engine: open: unknown scheme %q: known are %s; import the dialect of any other", scheme, known)
}
