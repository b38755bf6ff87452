package mysqlscript

import (
	"encoding/binary"
	"io"
	"net"
)

// wire reads and writes packets: three bytes of length, one of sequence.
type wire struct {
	conn net.Conn
	seq  byte
	out  []byte
}

func (w *wire) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		return nil, err
	}
	w.seq = head[3] + 1
	body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err := io.ReadFull(w.conn, body)
	return body, err
}

// put adds a packet to what is flushed next.
func (w *wire) put(body []byte) {
	n := len(body)
	w.out = append(w.out, byte(n), byte(n>>8), byte(n>>16), w.seq)
	w.out = append(w.out, body...)
	w.seq++
}

func (w *wire) flush() error {
	_, err := w.conn.Write(w.out)
	w.out = w.out[:0]
	return err
}

// lenenc appends an integer of variable length.
func lenenc(b []byte, n uint64) []byte {
	switch {
	case n < 251:
		return append(b, byte(n))
	case n < 1<<16:
		return binary.LittleEndian.AppendUint16(append(b, 0xfc), uint16(n))
	default:
		return binary.LittleEndian.AppendUint64(append(b, 0xfe), n)
	}
}

// text appends a string with its length.
func text(b []byte, s string) []byte { return append(lenenc(b, uint64(len(s))), s...) }
