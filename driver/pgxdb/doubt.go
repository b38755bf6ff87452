package pgxdb

import (
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// A statement in the transaction of a unit of work that may end it is in doubt:
// COMMIT AND CHAIN, the name of a statement that was prepared beside the chain,
// EXECUTE. The server says with its answer what it has done; without an answer the
// doubt stays.

// announce tells the unit of work what is about to be sent in its transaction.
func (s *stmtCall) announce(text string) {
	if s.unit == nil {
		return
	}
	switch meant := meaning(s.conn, text); {
	case !keepsTx(meant):
		s.doubt(text)
	case s.call.Target.System == sp.CockroachDB:
		// The answer does not tell whether it has committed before.
		s.unit.SendCockroachDB(meant)
	}
}

// announceBatch tells the unit of work what was sent in its transaction. The doubts
// of a batch are one.
func (s *stmtCall) announceBatch() {
	if s.unit == nil {
		return
	}
	for _, q := range s.batched.QueuedQueries {
		if s.announce(q.SQL); s.doubts > 0 { // the rewritten one
			return
		}
	}
}

func keepsTx(text string) bool { return sqltext.KeepsTx(sqltext.PostgreSQL, text) }

func (s *stmtCall) doubt(text string) {
	if strings.Contains(text, ";") {
		s.unit.MarkUnsure() // the answer is the last statement's
		return
	}
	s.doubts++
	s.unit.Doubt()
}

// answered takes note of what the server says it has done for a statement.
func (s *stmtCall) answered(tag pgconn.CommandTag) {
	if s.unit == nil {
		return
	}
	if goesOn(s.unit, tag) {
		s.clear()
	}
}

// goesOn reports whether a unit's transaction is known to go on after a statement
// that the server has answered.
func goesOn(in *unit.State, tag pgconn.CommandTag) bool {
	text := tag.String()
	if text == "COMMIT" {
		in.MarkUnsure() // by a name that reads like another statement, perhaps
	}
	// By RELEASE CockroachDB may commit.
	return text != "RELEASE" && sqltext.TxEffectOf(sqltext.PostgreSQL, text) == sqltext.TxNeutral
}

// clear takes back the doubts.
func (s *stmtCall) clear() {
	for ; s.doubts > 0; s.doubts-- {
		s.unit.Clear()
	}
}

// failing reports whether a transaction goes on as one that failed.
func failing(conn *pgx.Conn) bool { return !conn.IsClosed() && conn.PgConn().TxStatus() == 'E' }

// wentOn takes note that what was sent in a unit's transaction has failed with err.
func (s *stmtCall) wentOn(err error) {
	if s.doubts > 0 && (failing(s.conn) || !s.conn.IsClosed() && s.unsent(err)) {
		s.clear()
	}
}
