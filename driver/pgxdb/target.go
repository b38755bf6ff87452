package pgxdb

import (
	"strings"

	"github.com/jackc/pgx/v5"
	sp "github.com/sessionproxy/sessionproxy"
)

// targetOf tells which database a configuration means. It holds no password.
func targetOf(c *pgx.ConnConfig) *sp.Target {
	t := &sp.Target{System: sp.PostgreSQL, Host: c.Host, Port: int(c.Port), Namespace: c.Database, User: c.User}
	if t.Namespace == "" {
		t.Namespace = c.User // the server's default
	}
	if schema := c.RuntimeParams["search_path"]; schema != "" && !strings.ContainsAny(schema, ", ") {
		t.Namespace += "|" + schema
	}
	return t
}

// learn corrects the target by what the server says of itself.
func (p *pipeline) learn(conn *pgx.Conn) {
	t := p.target.Load()
	if !p.guessed || t.System != sp.PostgreSQL || conn.PgConn().ParameterStatus("crdb_version") == "" {
		return
	}
	told := *t
	told.System = sp.CockroachDB
	p.target.CompareAndSwap(t, &told)
}
