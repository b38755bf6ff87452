package sqlcomment

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// New returns an interceptor that appends a comment to each statement that says
// where it comes from, in sqlcommenter's format
// (https://google.github.io/sqlcommenter/spec/): keys and values URL-encoded,
// sorted, key='value', separated by commas. The server's own logs and views,
// such as pg_stat_activity, then show which service, route or trace a statement
// belongs to.
//
//	comment, err := sqlcomment.New(sqlcomment.WithTag("service", "shop"))
//	// SELECT name FROM users WHERE id = $1 /*service='shop'*/
//
// Statements that are executed or queried get it; prepared statements and
// batches do not, since their text can't be changed, and a text that ends with
// a comment is left alone. No tag can end the comment.
//
// Drivers that cache prepared statements use the SQL text as the key. Fixed
// tags keep the text the same and cost nothing; [WithTags] and
// [WithTraceContext] may change it every time: see there.
//
// Put it innermost, so that all other interceptors see the text as the caller
// wrote it.
func New(opts ...Option) (sp.Interceptor, error) {
	c := config{}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(c.fixed, byKey)
	for i, t := range c.fixed {
		if i > 0 && t.key == c.fixed[i-1].key {
			return nil, fmt.Errorf("sqlcomment: WithTag: the key %q is given twice", t.key)
		}
	}
	return &comment{config: c, text: commentOf(c.fixed), known: sqltext.NewCache[string](0, 0)}, nil
}

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(c *config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	fixed []tag
	tags  func(ctx context.Context) map[string]string
	trace bool
}

// tag is a pair of the comment.
type tag struct{ key, value string }

func byKey(a, b tag) int { return strings.Compare(a.key, b.key) }

// WithTag adds a pair that is the same for all statements. The key must not be
// empty, or given twice.
func WithTag(key, value string) Option {
	return optionFunc(func(c *config) error {
		if key == "" {
			return fmt.Errorf("sqlcomment: WithTag(%q, …): want a key", key)
		}
		c.fixed = append(c.fixed, tag{key, value})
		return nil
	})
}

// WithTags adds pairs that depend on the call's context, such as a request's
// route. tags is called for each statement, must be quick and safe for
// concurrent use, and may return nil. Its pairs replace fixed ones with the
// same key; empty keys are left out. Many different pairs make many different
// texts: see [WithTraceContext] for what that costs.
func WithTags(tags func(ctx context.Context) map[string]string) Option {
	return optionFunc(func(c *config) error {
		if tags == nil {
			return fmt.Errorf("sqlcomment: WithTags(nil): want a function")
		}
		c.tags = tags
		return nil
	})
}

// WithTraceContext adds traceparent and tracestate of the call's span, if it is
// sampled: the server's log then leads to the trace. Each traced statement has
// a different text, so a driver that prepares statements prepares each of them,
// with an extra round trip, and fills its cache. Use it with drivers that do
// not: pgx with default_query_exec_mode=exec or simple_protocol,
// go-sql-driver/mysql with interpolateParams=true, or where few calls are
// sampled.
func WithTraceContext() Option {
	return optionFunc(func(c *config) error {
		c.trace = true
		return nil
	})
}

// comment is what New returns.
type comment struct {
	config
	text  string                 // of the fixed tags alone
	known *sqltext.Cache[string] // texts with the fixed comment
}

var _ sp.Enabler = (*comment)(nil)

// Enabled reports whether an operation has a text that can be changed.
func (*comment) Enabled(_ context.Context, op sp.Op) bool {
	return op == sp.OpExec || op == sp.OpQuery
}

// Wrap returns a handler that comments the statements that pass through next.
func (c *comment) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Prepared || call.Text == "" || !c.Enabled(ctx, call.Op) {
			return next(ctx, call)
		}
		before := call.Text
		call.Text = c.commented(ctx, call)
		err := next(ctx, call)
		call.Text = before // what is outside, and the next attempt, know it so
		return err
	}
}

// commented returns the call's text with its comment.
func (c *comment) commented(ctx context.Context, call *sp.Call) string {
	own := c.own(ctx)
	d := telemetry.DialectOf(call.Target)
	if len(own) > 0 {
		return withComment(d, call.Text, commentOf(c.merge(own)))
	}
	if c.text == "" {
		return call.Text
	}
	if text, ok := c.known.Get(d, call.Text); ok {
		return text
	}
	text := withComment(d, call.Text, c.text)
	c.known.Put(d, call.Text, text)
	return text
}

// own returns the tags of one call.
func (c *comment) own(ctx context.Context) (tags []tag) {
	if c.tags != nil {
		for key, value := range c.tags(ctx) {
			if key != "" {
				tags = append(tags, tag{key, value})
			}
		}
	}
	if !c.trace {
		return tags
	}
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() || !sc.IsSampled() {
		return tags
	}
	tags = append(tags, tag{"traceparent", fmt.Sprintf("00-%s-%s-%s", sc.TraceID(), sc.SpanID(), sc.TraceFlags()&trace.FlagsSampled)})
	if state := sc.TraceState().String(); state != "" {
		tags = append(tags, tag{"tracestate", state})
	}
	return tags
}

// merge adds the fixed tags whose keys are not there, and sorts.
func (c *comment) merge(own []tag) []tag {
	n := len(own)
	for _, t := range c.fixed {
		if !slices.ContainsFunc(own[:n], func(o tag) bool { return o.key == t.key }) {
			own = append(own, t)
		}
	}
	slices.SortFunc(own, byKey)
	return own
}

// commentOf returns the comment of sorted tags; "" if there are none.
func commentOf(tags []tag) string {
	if len(tags) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("/*")
	for i, t := range tags {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(encode(t.key) + "='" + encode(t.value) + "'")
	}
	b.WriteString("*/")
	return b.String()
}

// encode encodes all but letters, digits and "-_.~", so that nothing that is
// left means anything in SQL.
func encode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// withComment returns a text with a comment at its end, before the semicolons
// there. A text that ends with a comment, or may, is left alone.
func withComment(d sqltext.Dialect, text, comment string) string {
	if d == sqltext.PostgreSQL && sqltext.MayBeName(text) {
		return text
	}
	body := strings.TrimRight(text, " \t\r\n;")
	last := body[strings.LastIndexByte(body, '\n')+1:]
	if body == "" || strings.HasSuffix(body, "*/") || strings.Contains(last, "--") || d == sqltext.MySQL && strings.Contains(last, "#") {
		return text
	}
	if strings.Contains(body, "/*") && !endsInCode(d, body) {
		return text
	}
	return body + " " + comment + text[len(body):]
}

// endsInCode reports whether a text is known to end neither in a comment nor in
// a literal: in a comment that is not ended, ours would end it.
func endsInCode(d sqltext.Dialect, text string) bool {
	lexer, last := sqltext.NewLexer(d, text), sqltext.Comment
	for {
		t, ok := lexer.Next()
		if !ok {
			return last != sqltext.Comment && last != sqltext.Undecided
		}
		if t.Kind != sqltext.Space {
			last = t.Kind
		}
	}
}
