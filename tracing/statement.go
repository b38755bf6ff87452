package tracing

import (
	"slices"
	"strings"
	"unicode/utf8"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// form is how an operation uses its text: the same text makes another record
// in each.
type form uint8

const (
	formPlain      form = iota // without arguments
	formParameters             // with arguments
	formPrepare
	formBatch
	forms
	noText = forms
)

// formOf returns the form of the call's text. Transaction control has none:
// its texts hold names of savepoints.
func formOf(call *sp.Call) form {
	if call.Text == "" {
		return noText
	}
	switch call.Op {
	case sp.OpExec, sp.OpQuery, sp.OpCopy:
		return formOfStatement(call)
	case sp.OpPrepare:
		return formPrepare
	case sp.OpBatch:
		if call.BatchSize == 1 {
			return formOfStatement(call)
		}
		return formBatch
	default:
		return noText
	}
}

func formOfStatement(call *sp.Call) form {
	if call.Args.Len() == 0 {
		return formPlain
	}
	return formParameters
}

// maxRead is how many bytes of a text are read to describe it, if no more are
// to be recorded: the reading of a bulk insert of megabytes would cost more
// than it tells. A literal that is cut in two counts as a literal.
const maxRead = 32 << 10

// byText returns the record of a text.
func (d *destination) byText(t *Tracing, f form, op sp.Op, text string) *record {
	if limit := t.cfg.textLimit; limit != 0 {
		text = cut(text, max(limit, maxRead))
	}
	if r, ok := d.texts[f].Get(d.dialect, text); ok {
		return r
	}
	r := d.newTextRecord(t, f, op, text)
	d.texts[f].Put(d.dialect, text, r)
	return r
}

func (d *destination) newTextRecord(t *Tracing, f form, op sp.Op, text string) *record {
	summary, recorded := d.describe(f, text, t.cfg.text)
	var common, spanOnly []attribute.KeyValue
	if summary != "" {
		common = []attribute.KeyValue{semconv.DBQuerySummary(summary)}
	}
	if recorded != "" {
		spanOnly = []attribute.KeyValue{semconv.DBQueryText(cut(recorded, t.cfg.textLimit))}
	}
	name := summary
	if name == "" {
		name = d.orSystem(d.name)
	}
	return d.newRecord(t, op, name, common, spanOnly)
}

// describe returns the summary of a text and the text that may be recorded.
func (d *destination) describe(f form, text string, mode textMode) (summary, recorded string) {
	if f == formBatch {
		return d.describeBatch(text, mode)
	}
	a := sqltext.Analyse(d.dialect, text)
	if f == formPrepare {
		a.Summary = strings.TrimSpace("PREPARE " + a.Summary)
	}
	// A text that gets no arguments holds its values, whatever looks like a
	// parameter in it; one that is only prepared gets them later.
	return a.Summary, recordedText(text, a, mode, f != formPlain)
}

// describeBatch does so for several statements: the summary tells what they
// have in common, and a text that all of them share is recorded once.
func (d *destination) describeBatch(text string, mode textMode) (summary, recorded string) {
	var texts []string
	common := ""
	for i, statement := range sqltext.Split(d.dialect, text) {
		a := sqltext.Analyse(d.dialect, statement)
		if i == 0 {
			common = a.Summary
		}
		if a.Summary != common {
			common = ""
		}
		texts = append(texts, recordedText(statement, a, mode, true))
	}
	if len(slices.Compact(slices.Clone(texts))) == 1 {
		texts = texts[:1]
	}
	return strings.TrimSpace("BATCH " + common), strings.Join(texts, "; ")
}

// recordedText returns what may be recorded of a text.
func recordedText(text string, a sqltext.Analysis, mode textMode, arguments bool) string {
	switch {
	case mode == textNone:
		return ""
	case mode == textAsWritten && arguments && a.HasParameters:
		return text
	default:
		return a.Sanitized
	}
}

// cut shortens text to at most limit bytes, at the start of a character; 0 is
// no limit.
func cut(text string, limit int) string {
	if limit == 0 || len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
