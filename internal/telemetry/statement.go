package telemetry

import (
	"slices"
	"strings"

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

// Describe returns the summary of a text, by the rules of the semantic
// conventions, and what may be told of the text itself: where values have
// parameters, it is told as written, and elsewhere with a question mark in
// place of each literal.
func Describe(d sqltext.Dialect, u Use, text string) (summary, told string) {
	if u == UseBatch {
		return describeBatch(d, text)
	}
	a := sqltext.Analyse(d, text)
	if u == UsePrepare {
		a.Summary = strings.TrimSpace("PREPARE " + a.Summary)
	}
	if u == UseAlone {
		return a.Summary, a.Sanitized
	}
	return a.Summary, toldOf(text, a)
}

// describeBatch is Describe for several statements: the summary is what they
// have in common, and a text that all of them share is told once.
func describeBatch(d sqltext.Dialect, text string) (summary, told string) {
	var texts []string
	for i, statement := range sqltext.Split(d, text) {
		a := sqltext.Analyse(d, statement)
		if i == 0 {
			summary = a.Summary
		}
		if a.Summary != summary {
			summary = ""
		}
		texts = append(texts, toldOf(statement, a))
	}
	if len(slices.Compact(slices.Clone(texts))) == 1 {
		texts = texts[:1]
	}
	return strings.TrimSpace("BATCH " + summary), strings.Join(texts, "; ")
}

func toldOf(text string, a sqltext.Analysis) string {
	if a.HasParameters {
		return text
	}
	return a.Sanitized
}
