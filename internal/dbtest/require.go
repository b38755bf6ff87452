package dbtest

import (
	"errors"
	"os"
	"strconv"
	"testing"
)

// envRequire makes missing servers a failure where CI is not set.
const envRequire = "SESSIONPROXY_REQUIRE_SERVERS"

// unavailable ends a test that can't have its server: it is skipped if the
// machine lacks the binaries and nothing demands them, and fails otherwise.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errMissing) && !required() {
		t.Skipf("%v (%s=1 makes this a failure)", err, envRequire)
		return
	}
	t.Fatal(err)
}

// required reports whether tests must find their servers.
func required() bool {
	for _, name := range []string{envRequire, "CI"} {
		if yes, err := strconv.ParseBool(os.Getenv(name)); yes && err == nil {
			return true
		}
	}
	return false
}
