package pgxdb

import (
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

var _ attach.Forker = (*stmtCall)(nil)

// Fork returns an operation that does the same on another connection of the
// pool, or nil: what has its connection already can't be done twice at once,
// and only of queries is it known how.
func (s *stmtCall) Fork() attach.Performer {
	if s.pool == nil || s.Op != sp.OpQuery {
		return nil
	}
	s.stray = true
	return &stmtCall{pipeline: s.pipeline, work: work{pool: s.pool, args: s.args, origin: s}}
}

// Adopt takes over what came of a fork.
func (s *stmtCall) Adopt(winner attach.Performer) {
	w := winner.(*stmtCall)
	s.on, s.conn, s.held, s.dead, s.performed = w.on, w.conn, w.held, w.dead, w.performed
	s.first, s.resultCtx = w.first, w.resultCtx
}
