package pgxdb

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// acquired is a connection taken from a pool, and the call that took it, if that
// is one of its own.
type acquired struct {
	conn *pgxpool.Conn
	call *stmtCall

	// In place of conn: a connection that was dialled in the place of a lost one.
	own  *pgx.Conn
	slot *slot
}

// unfit marks, among the custom data of a connection, one that is sound but
// not to be used again: it leads to a server that only reads, for instance.
const unfit = "sessionproxy: unfit"

// release gives the connection back, or closes it if it is unfit. It may be called more than once.
func (h *acquired) release() {
	conn, call := h.conn, h.call
	if h.own != nil {
		h.leaveSlot()
	}
	if conn == nil {
		return
	}
	*h = acquired{}
	if _, bad := conn.Conn().PgConn().CustomData()[unfit]; bad {
		ctx, cancel := context.WithTimeout(context.Background(), cleanup)
		defer cancel()
		_ = conn.Conn().Close(ctx) // the pool forgets a closed connection
	}
	conn.Release()
	if call != nil && attach.Finish(&call.Call, nil) {
		call.free()
	}
}

// leaveSlot closes the connection that was dialled in a slot, and leaves that.
func (h *acquired) leaveSlot() {
	own, slot := h.own, h.slot
	*h = acquired{}
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	_ = own.Close(ctx)
	slot.leave()
}

// takeSlot dials a connection in the place of one that was lost with the answer
// to a COMMIT, for a call that finds out what came of it. It reports false if
// there is no such place.
func (s *stmtCall) takeSlot(ctx context.Context) (bool, error) {
	slot := s.slots.take()
	if slot == nil {
		return false, nil
	}
	conn, err := dial(ctx, s.poolOf(s.pool))
	if err != nil {
		slot.leave()
		return true, err
	}
	s.acquired = acquired{own: conn, slot: slot}
	s.conn, s.on = conn, conn
	return true, nil
}

// take takes a connection for the call.
func (s *stmtCall) take(ctx context.Context) error {
	if s.Marks.Verifying {
		if taken, err := s.takeSlot(ctx); taken {
			return err
		}
	}
	if s.connects || s.acquireCalls {
		ctx = attach.Context(ctx, s.call)
		s.stray = s.stray || s.shown
	}
	if s.acquireCalls {
		h, err := s.acquire(ctx, s.pool)
		if err != nil {
			s.stray = true // as below
			return err
		}
		s.acquired = h
	} else {
		conn, err := s.poolOf(s.pool).Acquire(ctx)
		if err != nil {
			// A connection may still be opened for it, with this context.
			s.stray = s.stray || s.connects
			return err
		}
		s.acquired = acquired{conn: conn}
	}
	s.conn = s.acquired.conn.Conn()
	s.on = s.conn
	s.call.InTx = inTx(s.conn) // a hook of the pool may have begun one
	return nil
}

// acquire takes a connection as a call of its own, which is open until the
// connection is released.
func (p *pipeline) acquire(ctx context.Context, pool *pgxpool.Pool) (acquired, error) {
	s := p.start(ctx, sp.OpAcquire, "", nil)
	s.Scope = sp.ScopePool
	var taken *pgxpool.Conn
	s.act = func(ctx context.Context, s *stmtCall) (err error) {
		stray := s.stray
		if p.connects {
			ctx = attach.Context(ctx, &s.Call)
			s.stray = true // for as long as a connection is being opened
		}
		if taken, err = s.poolOf(pool).Acquire(ctx); err != nil {
			return err
		}
		s.stray = stray || p.connects && p.shown
		s.Target = s.reached(taken.Conn())
		s.acquired = acquired{conn: taken} // for Discard
		attach.KeepOpen(&s.Call)
		return nil
	}
	open, err := s.run(ctx)
	if err != nil {
		s.free()
		return acquired{}, err
	}
	h := acquired{conn: taken}
	if open && !attach.Loose(&s.Call) {
		h.call = s
		return h, nil
	}
	s.free()
	return h, nil
}
