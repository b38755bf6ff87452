package simulation

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// How long the way to the server and back takes, and a login on top of it.
const (
	roundTrip = 500 * time.Microsecond
	login     = 3 * time.Millisecond
)

type state uint8

const (
	up state = iota
	down
	starting
	hung
)

// A Server is a simulated database server. It is safe for concurrent use inside
// one bubble of [testing/synctest].
type Server struct {
	mu       sync.Mutex
	state    state
	changed  chan struct{} // closed with each change of state
	standby  bool          // refuses to write
	capacity int           // statements at work at once
	busy     int
	queue    []chan struct{} // of those that wait to be served
	limit    int             // of sessions
	sessions map[*session]struct{}
}

// NewServer returns a server that is up, serves capacity statements at once and
// has room for limit sessions.
func NewServer(capacity, limit int) *Server {
	return &Server{capacity: capacity, limit: limit, changed: make(chan struct{}), sessions: make(map[*session]struct{})}
}

// become changes the state, and ends all sessions with err if that is not nil.
func (s *Server) become(to state, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = to
	close(s.changed)
	s.changed = make(chan struct{})
	if err != nil {
		s.end(len(s.sessions), err)
	}
}

// end ends up to n sessions. The caller holds mu.
func (s *Server) end(n int, err error) {
	for victim := range s.sessions {
		if n--; n < 0 {
			return
		}
		delete(s.sessions, victim)
		victim.err = err
		close(victim.dead)
	}
}

// Crash ends the server at once: what is under way is lost, and connects are
// refused.
func (s *Server) Crash() { s.become(down, errReset) }

// Shutdown ends all sessions, which are told, and the server.
func (s *Server) Shutdown() { s.become(down, errShutdown) }

// Start has the server accept connects, which it refuses with "starting up"
// until [Server.Ready].
func (s *Server) Start() { s.become(starting, nil) }

// Ready has the server serve.
func (s *Server) Ready() { s.become(up, nil) }

// Hang stops the server as SIGSTOP does: nothing is answered until [Server.Ready].
func (s *Server) Hang() { s.become(hung, nil) }

// Terminate ends n sessions, or all if there are fewer, as
// pg_terminate_backend does.
func (s *Server) Terminate(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(n, errShutdown)
}

// Standby has the server refuse writes, until it is promoted by Standby(false).
func (s *Server) Standby(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standby = yes
}

// SetCapacity changes how many statements are at work at once.
func (s *Server) SetCapacity(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity = n
	s.admit()
}

// Sessions returns how many sessions there are.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Busy returns how many statements are at work or wait for it.
func (s *Server) Busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy + len(s.queue)
}

// admit lets those begin that wait, as far as there is capacity. The caller
// holds mu.
func (s *Server) admit() {
	for len(s.queue) > 0 && s.busy < s.capacity {
		s.busy++
		close(s.queue[0])
		s.queue = s.queue[1:]
	}
}

// session is a connection to the server. One goroutine at a time uses it.
type session struct {
	server *Server
	dead   chan struct{} // closed when the server has ended it
	err    error         // with which; set before dead is closed
	closed bool          // by the client; guarded by the server's mu
}

// dial opens a session.
func (s *Server) dial(ctx context.Context) (*session, error) {
	if err := sleep(ctx, roundTrip); err != nil {
		return nil, err
	}
	if err := s.answering(ctx, nil); err != nil {
		return nil, err
	}
	if err := sleep(ctx, login); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == down:
		return nil, errRefused
	case s.state == starting:
		return nil, errStarting
	case len(s.sessions) >= s.limit:
		return nil, errTooMany
	}
	n := &session{server: s, dead: make(chan struct{})}
	s.sessions[n] = struct{}{}
	return n, nil
}

// Ping makes a session and closes it again, as a breaker's own probe does.
func (s *Server) Ping(ctx context.Context) error {
	n, err := s.dial(ctx)
	if err != nil {
		return err
	}
	return n.close(nil)
}

// answering waits while the server hangs. dead ends the wait, and may be nil.
func (s *Server) answering(ctx context.Context, dead <-chan struct{}) error {
	for {
		s.mu.Lock()
		now, changed := s.state, s.changed
		s.mu.Unlock()
		switch {
		case now == hung:
		case dead != nil || now == up:
			return nil
		case now == down:
			return errRefused
		default:
			return errStarting
		}
		select {
		case <-changed:
		case <-dead:
			return nil
		case <-ctx.Done():
			return interrupted(ctx)
		}
	}
}

// run performs a statement that keeps the server busy for the given time. An
// error is the session's end, but for the answer with which a standby refuses.
func (n *session) run(ctx context.Context, work time.Duration, writes bool) error {
	if err := n.wait(ctx, roundTrip); err != nil {
		return err
	}
	if err := n.server.answering(ctx, n.dead); err != nil {
		return n.close(err)
	}
	if err := n.serve(ctx, work); err != nil {
		return err
	}
	if err := n.server.answering(ctx, n.dead); err != nil {
		return n.close(err)
	}
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	switch {
	case n.err != nil:
		return n.err
	case writes && n.server.standby:
		return errReadOnly
	}
	return nil
}

// serve waits for its turn, and then for as long as the work takes.
func (n *session) serve(ctx context.Context, work time.Duration) error {
	s, turn := n.server, make(chan struct{})
	s.mu.Lock()
	s.queue = append(s.queue, turn)
	s.admit()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, other := range s.queue {
			if other == turn {
				s.queue = append(s.queue[:i:i], s.queue[i+1:]...)
				return
			}
		}
		s.busy--
		s.admit()
	}()
	select {
	case <-turn:
	case <-n.dead:
		return n.err
	case <-ctx.Done():
		return n.close(interrupted(ctx))
	}
	return n.wait(ctx, work)
}

// wait lets time pass, unless the session or the context ends.
func (n *session) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-n.dead:
		return n.err
	case <-ctx.Done():
		return n.close(interrupted(ctx))
	}
}

// close ends the session from the client's side, which is how pgx cancels, and
// returns err.
func (n *session) close(err error) error {
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	delete(n.server.sessions, n)
	n.closed = true
	return err
}

// over reports whether the client has closed the session.
func (n *session) over() bool {
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	return n.closed
}

// interrupted is the error of a driver whose context has ended.
func interrupted(ctx context.Context) error {
	return fmt.Errorf("timeout: %w", ctx.Err())
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return interrupted(ctx)
	}
}
