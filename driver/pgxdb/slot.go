package pgxdb

import (
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// slot is the place in a pool of a connection that was lost with the answer to a
// COMMIT. It is kept until the unit of work has ended, so that its verifier does
// not have to queue for a connection behind everybody else: in an outage it would
// wait in vain. A statement of the verifier dials a connection of its own in the
// place; so the pool's bound holds.
type slot struct {
	mu    sync.Mutex
	lost  acquired // nothing once it was given back
	taken bool
	over  bool // the unit has ended
}

// take takes the place for a statement.
func (s *slot) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost.conn == nil || s.taken || s.over {
		return false
	}
	s.taken = true
	return true
}

// leave ends what take began.
func (s *slot) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken = false; s.over {
		s.lost.release()
	}
}

// end gives the place back to the pool, when nobody has it any more.
func (s *slot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over = true; !s.taken {
		s.lost.release()
	}
}

// slots are the places that units of a pool keep.
type slots struct {
	mu   sync.Mutex
	kept []*slot
}

func (s *slots) add(p *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, p)
}

func (s *slots) remove(p *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = slices.DeleteFunc(s.kept, func(q *slot) bool { return p == q })
}

// take returns a place that nobody is using, or nil.
func (s *slots) take() *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.kept {
		if p.take() {
			return p
		}
	}
	return nil
}

// dial opens a connection as pool does.
func dial(ctx context.Context, pool *pgxpool.Pool) (*pgx.Conn, error) {
	config := pool.Config()
	if config.BeforeConnect != nil {
		if err := config.BeforeConnect(ctx, config.ConnConfig); err != nil {
			return nil, err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil || config.AfterConnect == nil {
		return conn, err
	}
	if err := config.AfterConnect(ctx, conn); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}
