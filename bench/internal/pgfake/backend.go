package pgfake

import (
	"bytes"
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgproto3"
)

// backend is the state of one conversation. Messages are read where they lie:
// nothing is allocated for a statement that was prepared before.
type backend struct {
	server   *Server
	started  bool
	failed   bool // after an error everything up to Sync is skipped
	status   byte // of the transaction: I or T
	prepared map[string]*answer
	portal   *answer
	copying  *answer // of the COPY at work
}

// The messages that are the same each time.
var (
	startup = append1(append1(append1(append1(append1(nil,
		&pgproto3.AuthenticationOk{}),
		&pgproto3.ParameterStatus{Name: "server_version", Value: "15.0"}),
		&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"}),
		&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"}),
		&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	readyIdle     = append1(nil, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	readyInTx     = append1(nil, &pgproto3.ReadyForQuery{TxStatus: 'T'})
	parseComplete = append1(nil, &pgproto3.ParseComplete{})
	bindComplete  = append1(nil, &pgproto3.BindComplete{})
	closeComplete = append1(nil, &pgproto3.CloseComplete{})
	copyIn        = append1(nil, &pgproto3.CopyInResponse{OverallFormat: 1})
	copyFailed    = append1(nil, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014", Message: "COPY failed"})
)

// next returns the size of the first message in p, if it is complete: the
// message of startup has no type in front of its length.
func (b *backend) next(p []byte) (size int, complete bool) {
	from := 1
	if !b.started {
		from = 0
	}
	if len(p) < from+4 {
		return 0, false
	}
	size = from + int(binary.BigEndian.Uint32(p[from:]))
	return size, size <= len(p)
}

// answer appends the answer to one message to out; over says that the client
// takes its leave.
func (b *backend) answer(out, message []byte) (_ []byte, over bool) {
	if !b.started {
		b.started = true
		return b.ready(append(out, startup...)), false
	}
	kind, body := message[0], message[5:]
	switch kind {
	case 'X':
		return out, true
	case 'S':
		b.failed = false
		return b.ready(out), false
	case 'Q':
		return b.query(out, body), false
	}
	if b.failed {
		return out, false
	}
	switch kind {
	case 'P':
		name, rest := word(body)
		text, _ := word(rest)
		return b.parse(out, string(name), string(text)), false
	case 'D':
		return b.describe(out, body), false
	case 'B':
		_, rest := word(body)
		name, _ := word(rest)
		b.portal = b.prepared[string(name)]
		return append(out, bindComplete...), false
	case 'E':
		return append(out, b.portal.result...), false
	case 'C':
		return append(out, closeComplete...), false
	case 'c':
		return b.ready(append(out, b.copying.result...)), false
	case 'f':
		return b.ready(append(out, copyFailed...)), false
	}
	return out, false
}

// word returns the first string of a message and what comes after it.
func word(p []byte) (first, rest []byte) {
	i := bytes.IndexByte(p, 0)
	return p[:i], p[i+1:]
}

// query answers a simple query.
func (b *backend) query(out, body []byte) []byte {
	text, _ := word(body)
	a := b.server.answers[string(text)]
	switch {
	case a == nil:
		return b.ready(unknown(out, string(text)))
	case a.copies:
		b.copying = a
		return append(out, copyIn...)
	}
	switch string(text) {
	case "begin":
		b.status = 'T'
	case "commit", "rollback":
		b.status = 'I'
	}
	if len(a.columns) > 0 && a.columns[0] == 'T' {
		out = append(out, a.columns...)
	}
	return b.ready(append(out, a.result...))
}

func (b *backend) parse(out []byte, name, text string) []byte {
	a := b.server.answers[text]
	if a == nil {
		b.failed = true
		return unknown(out, text)
	}
	b.prepared[name] = a
	return append(out, parseComplete...)
}

// describe answers for a statement or a portal.
func (b *backend) describe(out, body []byte) []byte {
	if body[0] == 'P' {
		return append(out, b.portal.columns...)
	}
	name, _ := word(body[1:])
	return append(out, b.prepared[string(name)].description...)
}

// unknown appends the error of a statement that the server was not told of.
func unknown(out []byte, text string) []byte {
	return append1(out, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601", Message: "pgfake: unknown statement: " + text})
}

// ready appends that the next query may come.
func (b *backend) ready(out []byte) []byte {
	if b.status == 'T' {
		return append(out, readyInTx...)
	}
	return append(out, readyIdle...)
}
