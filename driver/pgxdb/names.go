package pgxdb

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	sp "github.com/sessionproxy/sessionproxy"
)

// A text that pgx is given need not be what it sends: it may be the name of a
// statement that was prepared on the connection, or be made another text of by a
// [pgx.QueryRewriter]. What it stands for decides whether it may be repeated, and
// what it does to a unit's transaction.

// namesKey marks, among the custom data of a connection, the texts by their names
// that were prepared on it through the chain.
const namesKey = "sessionproxy: names"

// named notes what a name stands for on a connection.
func (p *pipeline) named(conn *pgx.Conn, name, text string) {
	if name == "" {
		return // pgx does not find it by that
	}
	p.names.Store(true)
	data := conn.PgConn().CustomData()
	known, _ := data[namesKey].(map[string]string)
	if known == nil {
		known = make(map[string]string)
		data[namesKey] = known
	}
	known[name] = text
}

// unnamed forgets a name, or all of them for an empty one.
func unnamed(conn *pgx.Conn, name string) {
	data := conn.PgConn().CustomData()
	if known, _ := data[namesKey].(map[string]string); known != nil && name != "" {
		delete(known, name)
		return
	}
	delete(data, namesKey)
}

// standsFor reports whether the text of a call is known to stand for another one.
func (s *stmtCall) standsFor() bool {
	for i := range options(s.args) {
		if _, ok := rewrites(s.args[i]); ok {
			return true
		}
	}
	if s.conn == nil || !s.names.Load() {
		return false
	}
	known, _ := s.conn.PgConn().CustomData()[namesKey].(map[string]string)
	_, ok := known[s.Text]
	return ok
}

// meaning returns what a text stands for on a connection, as far as that is
// known: a name that was given beside the chain stays a name.
func meaning(conn *pgx.Conn, text string) string {
	known, _ := conn.PgConn().CustomData()[namesKey].(map[string]string)
	if meant, ok := known[text]; ok {
		return meant
	}
	return text
}

// sent returns what was sent in place of the call's text, if that is known to be
// something else; it is asked after a failure.
func (s *stmtCall) sent() string {
	if s.conn == nil {
		return ""
	}
	text := s.call.Text
	switch {
	case s.call.Op == sp.OpBatch && s.batched != nil:
		meant := make([]string, s.batched.Len())
		for i, q := range s.batched.QueuedQueries {
			meant[i] = meaning(s.conn, q.SQL) // the rewritten one
		}
		text = strings.Join(meant, "; ")
	case s.call.Op == sp.OpExec, s.call.Op == sp.OpQuery:
		if s.rewritten != "" {
			text = s.rewritten
		}
		text = meaning(s.conn, text)
	}
	if text == s.call.Text {
		return ""
	}
	return text
}

// rewriting is a [pgx.QueryRewriter] that tells the call what it is asked for.
type rewriting struct {
	by   pgx.QueryRewriter
	call *stmtCall
}

// RewriteQuery is the method of [pgx.QueryRewriter].
func (r rewriting) RewriteQuery(ctx context.Context, conn *pgx.Conn, sql string, args []any) (string, []any, error) {
	text, rest, err := r.by.RewriteQuery(ctx, conn, sql, args)
	if err == nil {
		r.call.rewritten = text
		r.call.announce(text)
	}
	return text, rest, err
}

// rewrites reports whether an argument makes another statement of a text, as far
// as is known: those of pgx's own only name the arguments.
func rewrites(arg any) (by pgx.QueryRewriter, ok bool) {
	switch by := arg.(type) {
	case pgx.NamedArgs, pgx.StrictNamedArgs:
		return nil, false
	case pgx.QueryRewriter:
		return by, true
	}
	return nil, false
}
