package sqlitefaults_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/sptest/sqlitefaults"
)

func TestTheErrorsAreSQLites(t *testing.T) {
	t.Parallel()
	e := sqlitefaults.New(t)
	for _, c := range []struct {
		err  error
		want fault.Class
	}{
		{e.Serialization, fault.ClassSerialization},
		{e.LockTimeout, fault.ClassLockTimeout},
		{e.UniqueViolation, fault.ClassIntegrity},
		{e.ReadOnly, fault.ClassReadOnly},
		{e.Full, fault.ClassOverloaded},
		{e.Refused, fault.ClassConnect},
		{e.LostBefore, fault.ClassConnectionLost},
		{e.LostAfter, fault.ClassConnectionLost},
	} {
		if got := fault.Of(c.err, fault.Situation{}).Class; got != c.want {
			t.Errorf("%v is of class %s, want %s", c.err, got, c.want)
		}
	}
}
