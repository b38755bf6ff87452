package pgscript

import (
	"net"
	"testing"
)

// Start starts a back end on loopback, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s, stop, err := Launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s
}

// Launch starts a back end for an example, which has no test to end with: stop
// ends it, and blocks until its connections are closed.
func Launch() (s *Server, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	s = &Server{listener: l, conns: map[net.Conn]bool{}, got: map[string]int{}}
	s.wg.Go(s.accept)
	return s, s.stop, nil
}
