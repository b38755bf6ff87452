package mysqlscript

import (
	"encoding/binary"
	"net"
	"strings"
)

// Session is one connection's conversation. Its exported fields belong to the
// handler.
type Session struct {
	// ID is the connection's number, from 1.
	ID uint32
	// InTransaction and NoAutocommit are what the server's status says of the
	// connection with every answer.
	InTransaction, NoAutocommit bool
	// State is whatever the handler keeps.
	State any

	server *Server
	wire
	prepared map[uint32]string
	last     uint32
}

// The capabilities that the server announces: those of protocol 4.1, without
// DEPRECATE_EOF, compression or TLS.
const capabilities = 1 | // long password
	2 | // found rows
	8 | // connect with a database
	0x80 | // local files
	0x200 | // protocol 4.1
	0x2000 | // transactions
	0x8000 | // secure connection
	0x10000 | // several statements
	0x20000 | 0x40000 | // several results, of prepared statements too
	0x80000 // pluggable authentication

func (s *Session) serve() error {
	if err := s.login(); err != nil {
		return err
	}
	for {
		s.seq = 0
		packet, err := s.read()
		if err != nil {
			return err
		}
		if len(packet) == 0 {
			return errDead
		}
		if err := s.command(packet[0], packet[1:]); err != nil {
			return err
		}
	}
}

func (s *Session) login() error {
	refused := s.server.admit()
	if refused != nil && refused.HangUp {
		s.end(refused.Reset)
		return errDead
	}
	greeting := append([]byte{10}, s.server.version+"\x00"...)
	greeting = binary.LittleEndian.AppendUint32(greeting, s.ID)
	greeting = append(greeting, "saltsalt\x00"...)
	greeting = binary.LittleEndian.AppendUint16(greeting, capabilities&0xffff)
	greeting = append(greeting, 45) // utf8mb4_general_ci
	greeting = binary.LittleEndian.AppendUint16(greeting, s.status())
	greeting = binary.LittleEndian.AppendUint16(greeting, capabilities>>16)
	greeting = append(greeting, 21)
	greeting = append(greeting, make([]byte, 10)...)
	greeting = append(greeting, "saltsaltsalt\x00mysql_native_password\x00"...)
	if refused != nil {
		s.fail(*refused)
		return s.flush()
	}
	s.put(greeting)
	if err := s.flush(); err != nil {
		return err
	}
	if _, err := s.read(); err != nil { // whoever it is may come in
		return err
	}
	s.ok(Reply{})
	return s.flush()
}

// The commands that are understood.
const (
	comQuit        = 0x01
	comInitDB      = 0x02
	comQuery       = 0x03
	comPing        = 0x0e
	comStmtPrepare = 0x16
	comStmtExecute = 0x17
	comStmtClose   = 0x19
	comStmtReset   = 0x1a
	comReset       = 0x1f
)

func (s *Session) command(number byte, body []byte) error {
	switch number {
	case comQuit:
		return errDead
	case comQuery:
		return s.reply(s.server.answer(s, string(body)), false)
	case comStmtPrepare:
		return s.prepare(string(body))
	case comStmtExecute:
		return s.reply(s.server.answer(s, s.prepared[binary.LittleEndian.Uint32(body)]), true)
	case comStmtClose:
		delete(s.prepared, binary.LittleEndian.Uint32(body))
		return nil
	case comPing, comInitDB, comStmtReset, comReset:
		s.ok(Reply{})
	default:
		s.fail(Reply{Code: 1047, State: "08S01", Message: "Unknown command"})
	}
	return s.flush()
}

// prepare takes every ? for a parameter.
func (s *Session) prepare(query string) error {
	s.last++
	s.prepared[s.last] = query
	params := strings.Count(query, "?")
	p := append([]byte{0}, binary.LittleEndian.AppendUint32(nil, s.last)...)
	p = binary.LittleEndian.AppendUint16(p, 0) // columns come with the answer
	p = binary.LittleEndian.AppendUint16(p, uint16(params))
	s.put(append(p, 0, 0, 0))
	for range params {
		s.column("?")
	}
	if params > 0 {
		s.eof()
	}
	return s.flush()
}

func (s *Session) reply(r Reply, binaryRows bool) error {
	if r.HangUp && len(r.Rows) == 0 {
		s.end(r.Reset)
		return errDead
	}
	switch {
	case r.Code != 0 && len(r.Columns) == 0:
		s.fail(r)
	case len(r.Columns) == 0:
		s.ok(r)
	default:
		if err := s.rows(r, binaryRows); err != nil {
			return err
		}
	}
	return s.flush()
}

// rows sends a result. One with a code ends in an error, as that of a query
// does which fails on its way.
func (s *Session) rows(r Reply, binaryRows bool) error {
	s.put(lenenc(nil, uint64(len(r.Columns))))
	for _, name := range r.Columns {
		s.column(name)
	}
	s.eof()
	for _, row := range r.Rows {
		var p []byte
		if binaryRows {
			p = make([]byte, 1+(len(row)+9)/8) // nothing is NULL
		}
		for _, v := range row {
			p = text(p, v)
		}
		s.put(p)
		if r.HangUp {
			_ = s.flush()
			s.end(r.Reset)
			return errDead
		}
	}
	if r.Code != 0 {
		s.fail(r)
	} else {
		s.eof()
	}
	return nil
}

func (s *Session) column(name string) {
	p := text(nil, "def")
	for _, part := range []string{"script", "t", "t", name, name} {
		p = text(p, part)
	}
	p = append(p, 0x0c)
	p = binary.LittleEndian.AppendUint16(p, 45)
	p = binary.LittleEndian.AppendUint32(p, 1024)
	s.put(append(p, 0xfd, 0, 0, 0, 0, 0)) // VAR_STRING
}

func (s *Session) status() (flags uint16) {
	if s.InTransaction {
		flags |= 1
	}
	if !s.NoAutocommit {
		flags |= 2
	}
	return flags
}

func (s *Session) ok(r Reply) {
	p := lenenc(lenenc([]byte{0}, r.Affected), r.InsertID)
	p = binary.LittleEndian.AppendUint16(p, s.status())
	s.put(append(p, 0, 0))
}

func (s *Session) eof() {
	s.put(binary.LittleEndian.AppendUint16([]byte{0xfe, 0, 0}, s.status()))
}

func (s *Session) fail(r Reply) {
	state := r.State
	if state == "" {
		state = "HY000"
	}
	p := binary.LittleEndian.AppendUint16([]byte{0xff}, r.Code)
	s.put(append(p, "#"+state+r.Message...))
}

// end closes the connection.
func (s *Session) end(reset bool) {
	if tcp, ok := s.conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = s.conn.Close()
}
