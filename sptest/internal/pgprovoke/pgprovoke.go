package pgprovoke

import (
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sessionproxy/sessionproxy/internal/pgscript"
	"github.com/sessionproxy/sessionproxy/sptest"
)

// answers are what the server says to a statement of that text, in PostgreSQL's own
// words.
var answers = map[string]pgscript.Reply{
	"UPDATE serialization": {Code: "40001", Message: "could not serialize access due to concurrent update"},
	"UPDATE deadlock":      {Code: "40P01", Message: "deadlock detected"},
	"UPDATE lock":          {Code: "55P03", Message: "canceling statement due to lock timeout"},
	"UPDATE unique":        {Code: "23505", Message: `duplicate key value violates unique constraint "sptest_key"`},
	"UPDATE readonly":      {Code: "25006", Message: "cannot execute UPDATE in a read-only transaction"},
	"UPDATE full":          {Code: "53100", Message: "could not extend file: No space left on device"},
	"UPDATE before":        {HangUp: true, Reset: true},
	"UPDATE after":         {HangUp: true},
}

// Provoke returns the errors that a driver returns. ask connects to the server of a
// URL, runs a statement, and returns the error of either.
func Provoke(driver string, ask func(url, text string) error) (sptest.Errors, error) {
	e := sptest.Errors{Driver: driver}
	server, stop, err := pgscript.Launch()
	if err != nil {
		return e, fmt.Errorf("pgprovoke: %w", err)
	}
	defer stop()
	server.Handle(func(_ *pgscript.Session, text string) pgscript.Reply { return answers[text] })
	for text, into := range map[string]*error{
		"UPDATE serialization": &e.Serialization,
		"UPDATE deadlock":      &e.Deadlock,
		"UPDATE lock":          &e.LockTimeout,
		"UPDATE unique":        &e.UniqueViolation,
		"UPDATE readonly":      &e.ReadOnly,
		"UPDATE full":          &e.Full,
		"UPDATE before":        &e.LostBefore,
		"UPDATE after":         &e.LostAfter,
	} {
		*into = ask(server.URL(), text)
	}
	full, stopFull, err := launchFull()
	if err != nil {
		return e, fmt.Errorf("pgprovoke: %w", err)
	}
	e.TooManyConnections = ask(full, "SELECT 1")
	stopFull() // from now on nobody listens there
	e.Refused = ask(full, "SELECT 1")
	for what, err := range map[string]error{
		"serialization": e.Serialization, "deadlock": e.Deadlock, "lock": e.LockTimeout, "unique": e.UniqueViolation, "readonly": e.ReadOnly,
		"full": e.Full, "before": e.LostBefore, "after": e.LostAfter, "too many": e.TooManyConnections, "refused": e.Refused,
	} {
		if err == nil {
			return e, fmt.Errorf("pgprovoke: %s returned no error for %q", driver, what)
		}
	}
	return e, nil
}

// launchFull starts a server that has no connection left.
func launchFull() (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			refuse(c)
		}
	}()
	return "postgres://app@" + l.Addr().String() + "/script?sslmode=disable", func() {
		_ = l.Close()
		<-over
	}, nil
}

func refuse(c net.Conn) {
	defer func() { _ = c.Close() }()
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "53300", Message: "sorry, too many clients already"})
	_ = b.Flush()
}
