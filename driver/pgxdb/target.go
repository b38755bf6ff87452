package pgxdb

import (
	"github.com/jackc/pgx/v5"
	sp "github.com/sessionproxy/sessionproxy"
)

// reached is, among the custom data of a connection, the target of its host, if
// the configuration has several.
const reached = "sessionproxy: target"

// maxReached bounds how many targets a pool keeps: its hosts, as a rule.
const maxReached = 64

// reached returns the target of a connection on which the call is performed.
func (s *stmtCall) reached(conn *pgx.Conn) *sp.Target {
	if n := s.call.Node; n != nil {
		return n.Target
	}
	return s.targetOf(conn)
}

// targetOf returns the target that a connection leads to, and learns what the
// server says of itself. conn is nil if there is none.
func (p *pipeline) targetOf(conn *pgx.Conn) *sp.Target {
	if conn == nil || p.name == nil {
		return p.target.Load()
	}
	if !p.met.Load() {
		p.learn(conn)
	}
	if !p.name.Several() {
		return p.target.Load()
	}
	data := conn.PgConn().CustomData()
	if t, ok := data[reached].(*sp.Target); ok {
		return t
	}
	t := p.name.At(conn.PgConn().Conn().RemoteAddr())
	t.System = p.target.Load().System
	shared := p.share(t)
	data[reached] = shared
	return shared
}

// share returns the one pointer to a target, by which calls know it.
func (p *pipeline) share(t sp.Target) *sp.Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.reached {
		if *known == t {
			return known
		}
	}
	if len(p.reached) == maxReached {
		return p.target.Load()
	}
	p.reached = append(p.reached, &t)
	return &t
}

// learn corrects the target by what the server says of itself.
func (p *pipeline) learn(conn *pgx.Conn) {
	t := p.target.Load()
	if p.name != nil && t.System == sp.PostgreSQL && conn.PgConn().ParameterStatus("crdb_version") != "" {
		told := *t
		told.System = sp.CockroachDB
		p.target.CompareAndSwap(t, &told)
	}
	p.met.Store(true)
}
