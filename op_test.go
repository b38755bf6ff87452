package sessionproxy_test

import (
	"slices"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
)

func TestASessionsMethodsAreFoundByTheirNames(t *testing.T) {
	t.Parallel()
	var cleanups []string
	for i := range 256 {
		op := sp.Op(i)
		if op.Cleanup() {
			cleanups = append(cleanups, op.String())
		}
		method, ok := strings.CutPrefix(op.String(), "session.")
		if ok && (sp.SessionOp(method) != op || !op.Session()) {
			t.Errorf("%s is found as %v", op, sp.SessionOp(method))
		}
	}
	if want := []string{"ROLLBACK", "close", "session.close", "session.invalidate", "session.reset", "session.rollback"}; !slices.Equal(cleanups, want) {
		t.Errorf("what cleans up: %q, want %q", cleanups, want)
	}
	for _, none := range []string{"", "Commit", "session.commit", "unknown"} {
		if op := sp.SessionOp(none); op != sp.OpUnknown {
			t.Errorf("%q is %v", none, op)
		}
	}
}
