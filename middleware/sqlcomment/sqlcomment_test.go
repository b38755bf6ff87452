package sqlcomment_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
)

// sends returns an operation that notes the text it was to send.
func sends(texts *[]string) *linktest.Script {
	return &linktest.Script{Act: func(_ context.Context, call *sp.Call) error {
		*texts = append(*texts, call.Text)
		return nil
	}}
}

// commented returns the text that a statement is sent with.
func commented(t *testing.T, ctx context.Context, text string, opts ...sqlcomment.Option) string {
	t.Helper()
	var texts []string
	call := linktest.Statement(ctx, sp.OpQuery, text, sends(&texts))
	if _, err := attach.Run(ctx, call, sp.NewChain(linktest.Must(t)(sqlcomment.New(opts...))).Then(attach.Perform)); err != nil {
		t.Fatal(err)
	}
	if call.Text != text {
		t.Errorf("the call keeps the text %q", call.Text)
	}
	return texts[0]
}

func TestCommentEndsTheStatement(t *testing.T) {
	t.Parallel()
	tags := []sqlcomment.Option{sqlcomment.WithTag("service", "shop"), sqlcomment.WithTag("route", "/a b's"), nil}
	const comment = "/*route='%2Fa%20b%27s',service='shop'*/"
	for text, want := range map[string]string{
		"SELECT 1":                    "SELECT 1 " + comment,
		"SELECT 1 ; \n":               "SELECT 1 " + comment + " ; \n",
		"SELECT 1; SELECT 2":          "SELECT 1; SELECT 2 " + comment,
		"SELECT 1 /* mine */":         "SELECT 1 /* mine */",
		"SELECT 1 -- mine":            "SELECT 1 -- mine",
		"SELECT 1 -- mine\nFROM t":    "SELECT 1 -- mine\nFROM t " + comment,
		"SELECT a #> '{b}' FROM t":    "SELECT a #> '{b}' FROM t " + comment,
		" ;":                          " ;",
		"INSERT INTO t VALUES ('*/')": "INSERT INTO t VALUES ('*/') " + comment,
	} {
		for range 2 { // the second time from what is known
			if got := commented(t, t.Context(), text, tags...); got != want {
				t.Errorf("%q became %q, want %q", text, got, want)
			}
		}
	}
	if got := commented(t, t.Context(), "SELECT 1"); got != "SELECT 1" {
		t.Errorf("without tags: %q", got)
	}
}

func TestCommentTellsTheTrace(t *testing.T) {
	t.Parallel()
	state, err := trace.ParseTraceState("vendor=a")
	if err != nil {
		t.Fatal(err)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state,
	})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	own := sqlcomment.WithTags(func(context.Context) map[string]string { return map[string]string{"service": "mine", "": "x"} })
	got := commented(t, ctx, "SELECT 1", sqlcomment.WithTag("service", "shop"), sqlcomment.WithTag("z", "1"), own, sqlcomment.WithTraceContext())
	want := "SELECT 1 /*service='mine',traceparent='00-01000000000000000000000000000000-0200000000000000-01',tracestate='vendor%3Da',z='1'*/"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	unsampled := trace.ContextWithSpanContext(t.Context(), span.WithTraceFlags(0))
	if got := commented(t, unsampled, "SELECT 1", sqlcomment.WithTraceContext()); got != "SELECT 1" {
		t.Errorf("of a trace that is not sampled: %s", got)
	}
}

func TestCommentLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	comment := linktest.Must(t)(sqlcomment.New(sqlcomment.WithTag("a", "b")))
	for _, op := range []sp.Op{sp.OpPrepare, sp.OpBatch, sp.OpBegin, sp.OpTransaction} {
		var texts []string
		call := linktest.Statement(t.Context(), op, "SELECT 1", sends(&texts))
		if _, err := attach.Run(t.Context(), call, sp.NewChain(comment).Then(attach.Perform)); err != nil || texts[0] != "SELECT 1" {
			t.Errorf("%s: %q, error %v", op, texts, err)
		}
	}
	var texts []string
	call := linktest.Statement(t.Context(), sp.OpExec, "SELECT 1", sends(&texts))
	call.Prepared = true
	if _, err := attach.Run(t.Context(), call, sp.NewChain(comment).Then(attach.Perform)); err != nil || texts[0] != "SELECT 1" {
		t.Errorf("prepared: %q, error %v", texts, err)
	}
	// Each attempt is sent with one comment.
	texts = nil
	failing := &linktest.Script{Act: func(_ context.Context, call *sp.Call) error {
		texts = append(texts, call.Text)
		return errors.New("again")
	}}
	call = linktest.Statement(t.Context(), sp.OpExec, "SELECT 1", failing)
	_, _ = attach.Run(t.Context(), call, sp.NewChain(linktest.Retrying(3), comment).Then(attach.Perform))
	if len(texts) != 3 || texts[2] != "SELECT 1 /*a='b'*/" {
		t.Errorf("%q", texts)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]sqlcomment.Option{
		"no key": {sqlcomment.WithTag("", "a")}, "twice": {sqlcomment.WithTag("a", "b"), sqlcomment.WithTag("a", "c")}, "nil": {sqlcomment.WithTags(nil)},
	} {
		if _, err := sqlcomment.New(opts...); err == nil || !strings.Contains(err.Error(), "WithTag") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzNew looks for tags that end the comment, or stand for something in
// it.
func FuzzNew(f *testing.F) {
	for _, s := range []string{"*/ DROP TABLE t; --", "'", "\\'", "\x00", "?$1:name@p", "ü\n", "/*"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		if key == "" {
			return
		}
		got := commented(t, t.Context(), "SELECT 1", sqlcomment.WithTag(key, value))
		body := strings.TrimSuffix(strings.TrimPrefix(got, "SELECT 1 /*"), "*/")
		if len(got) < len("SELECT 1 /*") || strings.Count(body, "'") != 2 || strings.ContainsAny(body, "*/\\\x00\n;?$:@ ") {
			t.Errorf("%q", got)
		}
	})
}
