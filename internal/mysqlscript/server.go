package mysqlscript

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
)

// Reply is what the server answers to a statement. The zero value is success
// without rows.
type Reply struct {
	// Code makes it an error of that number.
	Code uint16
	// State has five characters; "HY000" if empty.
	State string
	// Message is the error's text.
	Message string
	// Columns make it a result of rows of text.
	Columns []string
	// Rows are those of the columns.
	Rows [][]string
	// Affected and InsertID are those of a result without rows.
	Affected, InsertID uint64
	// HangUp ends the connection in place of an answer, and after the first row
	// if there are rows.
	HangUp bool
	// Reset ends it by an RST rather than by a FIN.
	Reset bool
}

// Handler answers the statements of a server. It is called on the goroutine of
// the connection that brought the statement.
type Handler func(s *Session, text string) Reply

// Option changes a server.
type Option func(*Server)

// WithVersion sets the version that the server names, "8.0.36" by default. One
// that holds "MariaDB" makes it a MariaDB.
func WithVersion(version string) Option { return func(s *Server) { s.version = version } }

// Server is a scripted server. It is safe for concurrent use.
type Server struct {
	listener net.Listener
	version  string
	wg       sync.WaitGroup

	mu      sync.Mutex
	handler Handler
	refuse  *Reply
	conns   map[net.Conn]bool
	got     []string
	logins  int
}

// Start starts a server on loopback, which ends with the test. A nil handler
// answers every statement with success.
func Start(t testing.TB, handler Handler, opts ...Option) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{listener: l, version: "8.0.36", handler: handler, conns: map[net.Conn]bool{}}
	for _, o := range opts {
		o(s)
	}
	s.wg.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

// DSN returns the data source name of the server, for go-sql-driver/mysql.
func (s *Server) DSN(params ...string) string {
	return "app@tcp(" + s.listener.Addr().String() + ")/script?" + strings.Join(params, "&")
}

// Handle sets the handler of what comes from now on, and forgets what was
// received.
func (s *Server) Handle(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler, s.got, s.logins = h, nil, 0
}

// Refuse makes the server answer the next login with an error, or hang up.
func (s *Server) Refuse(r Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = &r
}

// Received returns how many statements that hold text were read.
func (s *Server) Received(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, got := range s.got {
		if strings.Contains(got, text) {
			n++
		}
	}
	return n
}

// Logins returns how many connections were made.
func (s *Server) Logins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

// HangUp ends every connection, as a server does that stops.
func (s *Server) HangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

func (s *Server) stop() {
	_ = s.listener.Close()
	s.HangUp()
	s.wg.Wait()
}

func (s *Server) accept() {
	for id := uint32(1); ; id++ {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			defer s.forget(c)
			talk := &Session{ID: id, server: s, wire: wire{conn: c}, prepared: map[uint32]string{}}
			_ = talk.serve()
		})
	}
}

func (s *Server) forget(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	_ = c.Close()
}

// errDead ends a connection that was told to die.
var errDead = errors.New("mysqlscript: dead as told")

// admit counts a login, and returns what refuses it.
func (s *Server) admit() *Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins++
	r := s.refuse
	s.refuse = nil
	return r
}

// answer notes a statement and asks the handler.
func (s *Server) answer(talk *Session, text string) Reply {
	s.mu.Lock()
	s.got = append(s.got, text)
	h := s.handler
	s.mu.Unlock()
	if h == nil {
		return Reply{}
	}
	return h(talk, text)
}
