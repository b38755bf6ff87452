package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// TestHostOfTheWrongRoleIsNoFailure: while a standby is being promoted no host
// may be written to. That is a connection which could not be opened, and a host
// that is there. Real servers and drivers: TestFaultNoWriter.
func TestHostOfTheWrongRoleIsNoFailure(t *testing.T) {
	t.Parallel()
	role := errors.New("read only connection")
	for name, c := range map[string]struct {
		err     error
		breaker fault.Breaker
		retry   fault.Retry
	}{
		"one host":                   {fmt.Errorf("connect: %w", role), exclude, reconnect},
		"and one that refuses":       {errors.Join(refused, role), exclude, reconnect},
		"and one that starts":        {errors.Join(role, postgresFatal("57P03")), exclude, reconnect},
		"and one that is full":       {errors.Join(postgresFatal("53300"), role), exclude, reconnect},
		"and a password that is not": {errors.Join(role, postgresFatal("28P01")), exclude, none},
		"none that answered":         {errors.Join(refused, refused), failure, reconnect},
		"none that is started":       {errors.Join(refused, postgresFatal("57P03")), failure, reconnect},
	} {
		v := fault.Of(c.err, fault.Situation{Phase: fault.PhaseConnect})
		if v.Outcome != fault.OutcomeNotSent || v.Breaker != c.breaker || v.Retry != c.retry || v.Answered {
			t.Errorf("%s: %+v", name, v)
		}
	}
	for _, text := range []string{
		"connection is not read only", "server is in standby mode", "server is not in hot standby mode",
		"session is read-only", "session is not read-only", "server is in hot standby mode",
	} {
		if v := fault.Of(errors.New(text), fault.Situation{Phase: fault.PhaseConnect}); v.Class != fault.ClassConnect || v.Retry != reconnect || v.Breaker != exclude {
			t.Errorf("%s: %+v", text, v)
		}
		if v := fault.Of(errors.New(text), fault.Situation{InTx: true}); v.Class != fault.ClassUnknown || v.Retry != none {
			t.Errorf("%s, of a statement: %+v", text, v)
		}
		if v := fault.Of(errors.New(text), fault.Situation{Progress: fault.ProgressUnsent}); v.Class != fault.ClassConnect || v.Retry != reconnect || v.Breaker != exclude {
			t.Errorf("%s, before anything was sent: %+v", text, v)
		}
	}
}

// fields is an error as those of bun's pgdriver and of go-pg are.
type fields map[byte]string

func (f fields) Error() string       { return f['S'] + " #" + f['C'] + " " + f['M'] }
func (f fields) Field(k byte) string { return f[k] }

func TestErrorsThatGiveTheirFieldsByLetter(t *testing.T) {
	t.Parallel()
	row{fields{'S': "ERROR", 'V': "ERROR", 'C': "40001"}, fault.ClassSerialization, again, exclude}.check(t)
	row{fields{'S': "FATAL", 'V': "FATAL", 'C': "57P01"}, fault.ClassServerDown, idem, failure}.check(t)
	row{fields{'V': "ERROR", 'C': "0A000", 'R': "RevalidateCachedQuery"}, fault.ClassState, again, success}.check(t)
	if v := fault.Of(fields{'V': "ERROR", 'C': "57014", 'M': "canceling statement due to user request"}, fault.Situation{}); v.Class != fault.ClassCanceled {
		t.Errorf("%+v", v)
	}
	err := fields{'V': "ERROR", 'C': "23505", 'n': "users_email_key", 't': "users", 'D': "Key (email)=(secret) already exists."}
	got, ok := integrity.Of(fmt.Errorf("insert: %w", err))
	if !ok || got.Kind != integrity.Unique || got.Constraint != "users_email_key" || got.Table != "users" || got.Code != "23505" {
		t.Errorf("%+v, %t", got, ok)
	}
	for _, odd := range []error{fields{}, fields{'C': "no state"}, fields(nil)} {
		if v := fault.Of(odd, fault.Situation{}); v.Class != fault.ClassUnknown || fault.Code(odd) != "" {
			t.Errorf("%v: %+v", odd, v)
		}
	}
}

func TestErrorsOfClustersThatSpeakMySQL(t *testing.T) {
	t.Parallel()
	say := func(number uint16, text string) error { return &MySQLError{Number: number, Message: text} }
	notReady := say(1047, "WSREP has not yet prepared node for application use")
	checkTable(t, []row{
		{say(1047, "Unknown command"), fault.ClassServerDown, idem, failure},
		{mysql(8002), fault.ClassSerialization, again, exclude},
		{mysql(8022), fault.ClassSerialization, again, exclude},
		{mysql(9007), fault.ClassSerialization, again, exclude},
		{mysql(8028), fault.ClassSerialization, againHere, exclude},
		{mysql(9001), fault.ClassServerDown, idem, failure},
		{mysql(9002), fault.ClassServerDown, idem, failure},
		{mysql(9003), fault.ClassOverloaded, idem, failure},
		{mysql(9004), fault.ClassLockTimeout, idem, exclude},
		{mysql(9005), fault.ClassServerDown, idem, failure},
		{say(9001, "Max connect timeout reached while reaching hostgroup 10 after 10000ms"), fault.ClassConnect, conn, failure},
		{say(9002, "Max connect failure while reaching hostgroup 10"), fault.ClassConnect, conn, failure},
		{say(1105, "target: ks.-.primary: primary is not serving, there may be a reparent operation in progress"), fault.ClassServerDown, idem, failure},
		{say(1105, "target: ks.-.primary: current keyspace is being resharded"), fault.ClassServerDown, idem, failure},
		{say(1105, "something else"), fault.ClassUnknown, stopDoubt, success},
		{notReady, fault.ClassServerDown, action{"not run", reconnect, reconnect, transaction, none, fault.OutcomeUnknown}, failure},
	})
	if v := fault.Of(notReady, fault.Situation{}); v.Outcome != fault.OutcomeRolledBack || !v.DiscardConn {
		t.Errorf("a node that is not ready: %+v", v)
	}
}
