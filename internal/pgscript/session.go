package pgscript

import (
	"cmp"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// session is one connection's conversation.
type session struct {
	*Server
	conn net.Conn
	back *pgproto3.Backend
	Session
	failed   bool              // everything up to the next Sync is ignored
	prepared map[string]string // texts by the names of statements
	portals  map[string]string // texts by the names of portals
}

func (s *Server) serve(c net.Conn) error {
	if s.dies(c, OnConnect, "") {
		return errDead
	}
	back := pgproto3.NewBackend(c, c)
	id, err := s.login(back, c)
	if err != nil {
		return err
	}
	talk := &session{Server: s, conn: c, back: back, Session: Session{ID: id, Status: 'I'}, prepared: map[string]string{}, portals: map[string]string{}}
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
	if s.failed {
		switch msg.(type) {
		case *pgproto3.Sync, *pgproto3.Terminate:
			s.failed = false
		default:
			return nil
		}
	}
	switch m := msg.(type) {
	case *pgproto3.Query:
		if err := s.run(m.String, true); err != nil {
			return err
		}
		s.failed = false
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
	text = strings.ToLower(withoutComments(text))
	word, _, _ := strings.Cut(text, " ")
	return word == "select" || strings.Contains(text, "returning")
}

// withoutComments is a text without those before its first word.
func withoutComments(text string) string {
	for {
		text = strings.TrimSpace(text)
		var end string
		switch {
		case strings.HasPrefix(text, "--"):
			end = "\n"
		case strings.HasPrefix(text, "/*"):
			end = "*/"
		default:
			return text
		}
		_, text, _ = strings.Cut(text, end)
	}
}

// run performs a statement: it notes it and answers.
func (s *session) run(text string, describe bool) error {
	if strings.Trim(text, "; ") == "" || strings.HasPrefix(text, "-- ping") {
		s.back.Send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	s.note(text)
	if h := s.handles(); h != nil {
		return s.reply(text, h(&s.Session, text), describe)
	}
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

// reply sends what a handler answered.
func (s *session) reply(text string, r Reply, describe bool) error {
	if r.HangUp && len(r.Rows) == 0 {
		end(s.conn, r.Reset)
		return errDead
	}
	if describe && len(r.Rows) > 0 {
		s.back.Send(columns)
	}
	for _, row := range r.Rows {
		s.back.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(row)}})
		if r.HangUp {
			_ = s.back.Flush()
			end(s.conn, r.Reset)
			return errDead
		}
	}
	if r.Code != "" {
		severity := cmp.Or(r.Severity, "ERROR")
		s.back.Send(&pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: r.Code, Message: r.Message})
		if severity == "FATAL" {
			_ = s.back.Flush()
			end(s.conn, false)
			return errDead
		}
		s.failed = true
		return nil
	}
	tag := r.Tag
	if tag == "" {
		tag, _, _ = strings.Cut(strings.ToUpper(strings.TrimSpace(text)), " ")
	}
	s.back.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return nil
}

// tag returns a statement's command tag, and follows transactions.
func (s *session) tag(text string) string {
	word, _, _ := strings.Cut(strings.ToUpper(strings.Trim(text, "; ")), " ")
	switch word {
	case "BEGIN", "START":
		s.Status = 'T'
		return "BEGIN"
	case "COMMIT", "ROLLBACK", "END":
		s.Status = 'I'
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
	s.back.Send(&pgproto3.ReadyForQuery{TxStatus: s.Status})
	if err := s.back.Flush(); err != nil {
		return err
	}
	if text != "" && s.dies(s.conn, AfterAnswer, text) {
		return errDead
	}
	return nil
}
