package pgscript

import (
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Moment is when a connection dies.
type Moment string

// The moments at which the back end can be told to die. Of a statement, they
// are about the first one whose text holds what [Server.DieAt] was given.
const (
	// OnConnect is after a connection was accepted, before it is read.
	OnConnect Moment = "on connect"
	// OnParse is when a Parse message was read, before its answer.
	OnParse Moment = "on parse"
	// OnQuery is when a statement was read as a whole, by Query or Execute,
	// and before anything is answered.
	OnQuery Moment = "on query"
	// InRows is after the first of two rows was sent.
	InRows Moment = "between rows"
	// AfterAnswer is when a statement was answered as a whole.
	AfterAnswer Moment = "after the answer"
)

// Reply is what a [Handler] answers to a statement. The zero value is success
// without rows.
type Reply struct {
	// Code makes it an error of that SQLSTATE.
	Code, Message string
	// Severity is that of the error: "ERROR" if empty. The connection ends after
	// one that is "FATAL".
	Severity string
	// Tag is the command tag; the first word of the text if empty.
	Tag string
	// Rows make it a result of one column of text; an error comes after them.
	Rows []string
	// HangUp ends the connection in place of an answer, and after the first row
	// if there are rows.
	HangUp bool
	// Reset ends it by an RST rather than by a FIN.
	Reset bool
}

// Handler answers the statements of a server that was told to [Server.Handle].
// It is called on the goroutine of the connection that brought the statement.
type Handler func(s *Session, text string) Reply

// Session is a connection, as a handler sees it. Its fields belong to the
// handler.
type Session struct {
	// ID is the connection's number, from 1.
	ID int
	// Status is the state of the transaction that the server reports: I, T or E.
	Status byte
	// State is whatever the handler keeps.
	State any
}

// Server is a scripted back end. It is safe for concurrent use.
type Server struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	got     map[string]int // texts read, and how often
	moment  Moment
	holding string
	reset   bool
	logins  int
	handler Handler
}

// Handle hands every statement that comes from now on to h, and forgets what
// was received. A statement that returns rows has SELECT as its first word, or
// RETURNING in it.
func (s *Server) Handle(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler, s.logins = h, 0
	clear(s.got)
}

func (s *Server) handles() Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handler
}

// URL returns the data source name of the back end, for pgx and lib/pq.
func (s *Server) URL() string {
	return "postgres://app@" + s.listener.Addr().String() + "/script?sslmode=disable"
}

// DieAt tells the back end to end, at moment, the first connection that brings
// a statement which holds text; with reset by an RST, otherwise by a FIN. It
// does so once.
func (s *Server) DieAt(moment Moment, text string, reset bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moment, s.holding, s.reset = moment, text, reset
}

// Received returns how often statements that hold text were read as a whole.
func (s *Server) Received(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for got, times := range s.got {
		if strings.Contains(got, text) {
			n += times
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
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			defer s.forget(c)
			_ = s.serve(c)
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
var errDead = errors.New("pgscript: dead as told")

// dies reports whether the connection dies now, and hangs up if so.
func (s *Server) dies(c net.Conn, moment Moment, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moment != moment || !strings.Contains(text, s.holding) {
		return false
	}
	s.moment = ""
	end(c, s.reset)
	return true
}

// end closes a connection.
func end(c net.Conn, reset bool) {
	if tcp, ok := c.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// armed reports whether a connection is to die at moment.
func (s *Server) armed(moment Moment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moment == moment
}

func (s *Server) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[text]++
}

// login answers the start-up messages.
func (s *Server) login(b *pgproto3.Backend, c net.Conn) (id int, err error) {
	for {
		msg, err := b.ReceiveStartupMessage()
		if err != nil {
			return 0, err
		}
		switch msg.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := c.Write([]byte{'N'}); err != nil {
				return 0, err
			}
			continue
		case *pgproto3.CancelRequest:
			return 0, errDead
		}
		s.mu.Lock()
		s.logins++
		id = s.logins
		s.mu.Unlock()
		b.Send(&pgproto3.AuthenticationOk{})
		for k, v := range map[string]string{
			"server_version": "15.0", "client_encoding": "UTF8", "standard_conforming_strings": "on",
			"DateStyle": "ISO, MDY", "TimeZone": "UTC", "integer_datetimes": "on",
		} {
			b.Send(&pgproto3.ParameterStatus{Name: k, Value: v})
		}
		b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		return id, b.Flush()
	}
}
