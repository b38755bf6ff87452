package telemetry

import (
	"slices"
	"strings"
	"unicode/utf8"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// Use is how a call uses its text: what may be told of the same text differs.
type Use uint8

// The uses of a text.
const (
	// UseAlone is that of a text without arguments: whatever looks like a
	// parameter in it is none, and its values are in it.
	UseAlone Use = iota
	// UseWithArguments is that of a text whose values are its arguments.
	UseWithArguments
	// UsePrepare is that of a text that gets its arguments later.
	UsePrepare
	// UseBatch is that of several texts, separated by semicolons, each of which
	// has arguments or has not.
	UseBatch
	// Uses is how many uses there are.
	Uses = iota
)

// UseOf returns how a call uses its text.
func UseOf(call *sp.Call) Use {
	switch {
	case call.Op == sp.OpPrepare:
		return UsePrepare
	case call.Op == sp.OpBatch && call.BatchSize != 1:
		return UseBatch
	case call.Args.Len() > 0:
		return UseWithArguments
	}
	return UseAlone
}

// A Description is what is told of a text.
type Description struct {
	// Summary names its operations and tables, by the rules of the semantic
	// conventions.
	Summary string
	// Text is the text as written where values have parameters, and elsewhere
	// with a question mark in place of each literal.
	Text string
	// Sanitized is the text with a question mark in place of every literal.
	Sanitized string
}

// Describe returns what may be told of a text that is used so.
func Describe(d sqltext.Dialect, u Use, text string) Description {
	if u == UseBatch {
		return describeBatch(d, text)
	}
	a := sqltext.Analyse(d, text)
	out := Description{Summary: a.Summary, Text: a.Sanitized, Sanitized: a.Sanitized}
	if u == UsePrepare {
		out.Summary = strings.TrimSpace("PREPARE " + a.Summary)
	}
	if u != UseAlone && a.HasParameters {
		out.Text = strings.ToValidUTF8(text, "\uFFFD") // attributes have to be UTF-8
	}
	return out
}

// describeBatch is Describe for several statements: the summary is what they
// have in common, and a text that all of them share is told once.
func describeBatch(d sqltext.Dialect, batch string) (out Description) {
	var texts, sanitized []string
	for i, text := range sqltext.Split(d, batch) {
		one := Describe(d, UseWithArguments, text)
		if i == 0 {
			out.Summary = one.Summary
		}
		if one.Summary != out.Summary {
			out.Summary = ""
		}
		texts, sanitized = append(texts, one.Text), append(sanitized, one.Sanitized)
	}
	out.Summary = strings.TrimSpace("BATCH " + out.Summary)
	out.Text, out.Sanitized = joined(texts), joined(sanitized)
	return out
}

// joined returns statements as one text, or the one that all of them are.
func joined(texts []string) string {
	if len(slices.Compact(slices.Clone(texts))) == 1 {
		return texts[0]
	}
	return strings.Join(texts, "; ")
}

// MaxRead is how many bytes of a text are read to describe it, if no more are
// to be told: the reading of a bulk insert of megabytes would cost more than it
// tells. A literal that is cut in two counts as a literal.
const MaxRead = 32 << 10

// Cut shortens text to at most limit bytes, at the start of a character; 0 is
// no limit.
func Cut(text string, limit int) string {
	if limit == 0 || len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
