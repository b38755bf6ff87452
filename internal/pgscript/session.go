package pgscript

import (
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// session is one connection's conversation.
type session struct {
	*Server
	conn     net.Conn
	back     *pgproto3.Backend
	status   byte              // of the transaction: I or T
	prepared map[string]string // texts by the names of statements
	portals  map[string]string // texts by the names of portals
}

func (s *Server) serve(c net.Conn) error {
	if s.dies(c, OnConnect, "") {
		return errDead
	}
	back := pgproto3.NewBackend(c, c)
	if err := s.login(back, c); err != nil {
		return err
	}
	talk := &session{Server: s, conn: c, back: back, status: 'I', prepared: map[string]string{}, portals: map[string]string{}}
	for {
		msg, err := back.Receive()
		if err != nil {
			return err
		}
		if err := talk.answer(msg); err != nil {
			return err
		}
	}
}

func (s *session) answer(msg pgproto3.FrontendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.Query:
		if err := s.run(m.String, true); err != nil {
			return err
		}
		return s.ready(m.String)
	case *pgproto3.Parse:
		if s.dies(s.conn, OnParse, m.Query) {
			return errDead
		}
		s.prepared[m.Name] = m.Query
		s.back.Send(&pgproto3.ParseComplete{})
	case *pgproto3.Describe:
		s.describe(m)
	case *pgproto3.Bind:
		s.portals[m.DestinationPortal] = s.prepared[m.PreparedStatement]
		s.back.Send(&pgproto3.BindComplete{})
	case *pgproto3.Execute:
		return s.run(s.portals[m.Portal], false)
	case *pgproto3.Close:
		s.back.Send(&pgproto3.CloseComplete{})
	case *pgproto3.Flush:
		return s.back.Flush()
	case *pgproto3.Sync:
		return s.ready(s.portals[""])
	case *pgproto3.Terminate:
		return errDead
	}
	return nil
}

// describe tells of as many text parameters as the statement has.
func (s *session) describe(m *pgproto3.Describe) {
	text := s.portals[m.Name]
	if m.ObjectType == 'S' {
		text = s.prepared[m.Name]
		oids := make([]uint32, strings.Count(text, "$"))
		for i := range oids {
			oids[i] = 25 // text
		}
		s.back.Send(&pgproto3.ParameterDescription{ParameterOIDs: oids})
	}
	if returnsRows(text) {
		s.back.Send(columns)
		return
	}
	s.back.Send(&pgproto3.NoData{})
}

var columns = &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{
	{Name: []byte("n"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1},
}}

func returnsRows(text string) bool {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(text)), " ")
	return word == "select" || strings.Contains(strings.ToLower(text), "returning")
}

// run performs a statement: it notes it and answers.
func (s *session) run(text string, describe bool) error {
	if strings.Trim(text, "; ") == "" || strings.HasPrefix(text, "-- ping") {
		s.back.Send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	s.note(text)
	if s.dies(s.conn, OnQuery, text) {
		return errDead
	}
	if returnsRows(text) {
		if describe {
			s.back.Send(columns)
		}
		s.back.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("1")}})
		if s.armed(InRows) {
			if err := s.back.Flush(); err != nil {
				return err
			}
		}
		if s.dies(s.conn, InRows, text) {
			return errDead
		}
		s.back.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("2")}})
	}
	s.back.Send(&pgproto3.CommandComplete{CommandTag: []byte(s.tag(text))})
	return nil
}

// tag returns a statement's command tag, and follows transactions.
func (s *session) tag(text string) string {
	word, _, _ := strings.Cut(strings.ToUpper(strings.Trim(text, "; ")), " ")
	switch word {
	case "BEGIN", "START":
		s.status = 'T'
		return "BEGIN"
	case "COMMIT", "ROLLBACK", "END":
		s.status = 'I'
		return word
	case "INSERT":
		return "INSERT 0 1"
	case "UPDATE", "DELETE":
		return word + " 1"
	case "SELECT":
		return "SELECT 2"
	}
	return word
}

func (s *session) ready(text string) error {
	s.back.Send(&pgproto3.ReadyForQuery{TxStatus: s.status})
	if err := s.back.Flush(); err != nil {
		return err
	}
	if text != "" && s.dies(s.conn, AfterAnswer, text) {
		return errDead
	}
	return nil
}
