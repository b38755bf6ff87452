package pgfake

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"
)

// A Server makes connections that answer. It is made by [New] and safe for
// concurrent use; it has no goroutine and needs no end.
type Server struct {
	answers map[string]*answer
}

// New returns a server that knows statements, and besides them transaction
// control and pings. It fails if a row can't be encoded.
func New(statements ...Statement) (*Server, error) {
	s := &Server{answers: map[string]*answer{
		"begin":    {result: encodeTag("BEGIN")},
		"commit":   {result: encodeTag("COMMIT")},
		"rollback": {result: encodeTag("ROLLBACK")},
		"-- ping":  {result: append1(nil, &pgproto3.EmptyQueryResponse{})},
	}}
	for _, st := range statements {
		a, err := st.encode()
		if err != nil {
			return nil, err
		}
		s.answers[st.SQL] = a
	}
	return s, nil
}

func encodeTag(tag string) []byte {
	return append1(nil, &pgproto3.CommandComplete{CommandTag: []byte(tag)})
}

// Dial returns a new connection; it is a pgconn.DialFunc and looks at none of
// its arguments.
func (s *Server) Dial(context.Context, string, string) (net.Conn, error) {
	return newConn(s), nil
}
