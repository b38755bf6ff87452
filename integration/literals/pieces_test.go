package literals_test

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// A text is a statement in pieces, so that one that fails can be made shorter.
type text struct {
	pieces  []string
	markers []string
}

func (t text) String() string { return strings.Join(t.pieces, "") }

// without returns the text without a run of its pieces, and its markers that
// are left.
func (t text) without(from, n int) text {
	out := text{pieces: append(append([]string{}, t.pieces[:from]...), t.pieces[from+n:]...)}
	whole := out.String()
	for _, m := range t.markers {
		if strings.Contains(whole, m) {
			out.markers = append(out.markers, m)
		}
	}
	return out
}

// shows reports whether a value that a server gave back holds a marker, as it is
// written or as the bytes that its hexadecimal digits stand for.
func shows(value, marker string) bool {
	if strings.Contains(value, marker) {
		return true
	}
	raw, err := hex.DecodeString(marker)
	return err == nil && strings.Contains(value, string(raw))
}

// maker writes random texts of a dialect.
type maker struct {
	*rand.Rand
	language

	text
	depth int
}

// language is what a dialect has that its texts are made of.
type language struct {
	// shapes are statements: each % stands for an expression.
	shapes []string
	// quotes open and close a literal or a name; odd ones are wrong in most
	// places.
	quotes, odd [][2]string
	// inside may stand between quotes, besides markers: whatever may be taken
	// for an end, or for none.
	inside []string
	// gaps may stand where white space may; each % is a marker.
	gaps []string
	// values are literals without quotes; each % is a marker of digits, & one
	// of hexadecimal digits.
	values, oddValues []string
	// joins stand between two expressions.
	joins, oddJoins []string
	// wraps are expressions around another, which % stands for.
	wraps []string
}

// make returns a text.
func (l language) make(r *rand.Rand) text {
	m := maker{Rand: r, language: l}
	m.template(m.pick(l.shapes), m.expressions)
	return m.text
}

func (m *maker) pick(list []string) string { return list[m.IntN(len(list))] }

// mostly is usual, but for a few times.
func (m *maker) mostly(usual, odd []string) []string {
	if m.IntN(10) == 0 {
		return odd
	}
	return usual
}

func (m *maker) write(piece string) {
	if piece != "" {
		m.pieces = append(m.pieces, piece)
	}
}

// template writes a template, with something else for each %.
func (m *maker) template(template string, fill func()) {
	for i, part := range strings.Split(template, "%") {
		if i > 0 {
			fill()
		}
		m.write(part)
	}
}

func (m *maker) expressions() {
	for i := range 1 + m.IntN(5)/2 {
		if i > 0 {
			m.gap()
			m.write(m.pick(m.mostly(m.joins, m.oddJoins)))
			m.gap()
		}
		m.expression()
	}
}

func (m *maker) expression() {
	switch n := m.IntN(12); {
	case n == 0 && m.depth < 3:
		m.depth++
		m.template(m.pick(m.wraps), m.expressions)
		m.depth--
	case n <= 2:
		m.value()
	case n == 3:
		m.gap()
		m.literal()
	default:
		m.literal()
	}
}

// gap writes white space, a comment, or nothing.
func (m *maker) gap() {
	if m.IntN(2) == 0 {
		m.template(m.pick(m.gaps), func() { m.marker(consonants) })
	}
}

// literal writes something in quotes, now and then with the end of another kind.
func (m *maker) literal() {
	quotes := m.quotes
	if m.IntN(6) == 0 {
		quotes = m.odd
	}
	q := quotes[m.IntN(len(quotes))]
	m.write(q[0])
	for range m.IntN(3) {
		if m.IntN(3) == 0 {
			m.marker(consonants)
		} else {
			m.write(m.pick(m.inside))
		}
	}
	m.marker(consonants)
	for range m.IntN(2) {
		m.write(m.pick(m.inside))
	}
	if m.IntN(40) == 0 {
		q = m.quotes[m.IntN(len(m.quotes))]
	}
	m.write(q[1])
}

func (m *maker) value() {
	v := m.pick(m.mostly(m.values, m.oddValues))
	for strings.ContainsAny(v, "%&") {
		i := strings.IndexAny(v, "%&")
		m.write(v[:i])
		if v[i] == '%' {
			m.marker(digits)
		} else {
			m.marker(hexadecimal)
		}
		v = v[i+1:]
	}
	m.write(v)
}

// What markers are made of. No two letters of the first make a prefix of a
// literal.
const (
	consonants  = "cdfghjklmprstvwz"
	digits      = "123456789"
	hexadecimal = "abcdef456789"
)

func (m *maker) marker(of string) {
	var b strings.Builder
	for range 12 {
		b.WriteByte(of[m.IntN(len(of))])
	}
	m.markers = append(m.markers, b.String())
	m.write(b.String())
}
