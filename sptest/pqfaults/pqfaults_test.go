package pqfaults_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/sptest/pqfaults"
)

func TestTheErrorsAreTheDrivers(t *testing.T) {
	t.Parallel()
	e := pqfaults.New(t)
	for _, c := range []struct {
		err  error
		want fault.Class
	}{
		{e.Serialization, fault.ClassSerialization},
		{e.Deadlock, fault.ClassDeadlock},
		{e.LockTimeout, fault.ClassLockTimeout},
		{e.UniqueViolation, fault.ClassIntegrity},
		{e.ReadOnly, fault.ClassReadOnly},
		{e.Full, fault.ClassOverloaded},
		{e.Refused, fault.ClassConnect},
		{e.TooManyConnections, fault.ClassOverloaded},
		{e.LostBefore, fault.ClassConnectionLost},
		{e.LostAfter, fault.ClassConnectionLost},
	} {
		if got := fault.Of(c.err, fault.Situation{}).Class; got != c.want {
			t.Errorf("%#v is of class %s, want %s", c.err, got, c.want)
		}
	}
}
