package sqldb

import "strings"

// noteText watches for transactions that a caller begins and ends by
// statements, so that nothing inside one is repeated alone.
func (c *conn) noteText(text string) {
	if text != "" {
		switch text[0] | 0x20 {
		case 'i', 'u', 'd', 'w': // INSERT, UPDATE, DELETE, WITH
			return
		}
	}
	switch textEffect(text) {
	case beginsTx:
		c.textTx = true
	case endsTx:
		c.textTx = false
	}
}

type txEffect uint8

const (
	noTxEffect txEffect = iota
	beginsTx
	endsTx
)

// textEffect tells from its first words what a statement does to the
// connection's transaction. It allocates nothing.
func textEffect(text string) txEffect {
	word, rest := firstWord(text)
	if word == "" {
		return noTxEffect
	}
	switch word[0] | 0x20 {
	case 'b':
		if strings.EqualFold(word, "begin") {
			return beginsTx
		}
	case 's':
		if strings.EqualFold(word, "savepoint") {
			return beginsTx
		}
		if next, _ := firstWord(rest); strings.EqualFold(word, "start") && strings.EqualFold(next, "transaction") {
			return beginsTx
		}
	case 'c':
		if strings.EqualFold(word, "commit") {
			return endsTx
		}
	case 'e':
		if strings.EqualFold(word, "end") {
			return endsTx
		}
	case 'r':
		if next, _ := firstWord(rest); strings.EqualFold(word, "rollback") && !strings.EqualFold(next, "to") {
			return endsTx
		}
	}
	return noTxEffect
}

// firstWord returns the first run of letters after white space and comments.
func firstWord(s string) (word, rest string) {
	s = skipBlank(s)
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z') {
		n++
	}
	return s[:n], s[n:]
}

func skipBlank(s string) string {
	for s != "" {
		switch {
		case s[0] == ' ' || s[0] == '\t' || s[0] == '\n' || s[0] == '\r':
			s = s[1:]
		case strings.HasPrefix(s, "--"):
			_, s, _ = strings.Cut(s, "\n")
		case strings.HasPrefix(s, "/*"):
			_, s, _ = strings.Cut(s, "*/")
		default:
			return s
		}
	}
	return s
}
