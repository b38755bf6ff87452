package tracing_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// txHandle is a handle whose transactions have spans.
type txHandle struct {
	r *recorder
	h sp.Handler
}

func newTxHandle(t testing.TB, opts ...tracing.Option) *txHandle {
	t.Helper()
	r := &recorder{}
	tr := newTracing(t, r, append([]tracing.Option{tracing.WithTransactionSpans()}, opts...)...)
	return &txHandle{r, tr.Wrap(attach.Perform)}
}

// begin begins a transaction, which ends with the call.
func (x *txHandle) begin(t testing.TB, ctx context.Context) *sp.Call {
	t.Helper()
	c := doing(call(sp.OpBegin, ""), func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	})
	attach.Bind(ctx, c)
	if open, err := attach.Run(ctx, c, x.h); !open || err != nil {
		t.Fatalf("BEGIN: open %v, error %v", open, err)
	}
	return c
}

// exec runs a statement of an open transaction.
func (x *txHandle) exec(t testing.TB, ctx context.Context, op sp.Op, text string) *span {
	t.Helper()
	before := len(x.r.all())
	c := call(op, text)
	c.InTx = true
	attach.Bind(ctx, c)
	if _, err := attach.Run(ctx, c, x.h); err != nil {
		t.Fatal(err)
	}
	return x.r.all()[before]
}

// caller starts a span of the program's own.
func (x *txHandle) caller(ctx context.Context, name string) (context.Context, *span) {
	ctx, s := tracer{r: x.r}.Start(ctx, name)
	return ctx, s.(*span)
}

// of returns the span of that name.
func (x *txHandle) of(t testing.TB, name string) *span {
	t.Helper()
	var found *span
	for _, s := range x.r.all() {
		if s.name == name {
			if found != nil {
				t.Fatalf("there are several spans %q", name)
			}
			found = s
		}
	}
	if found == nil {
		t.Fatalf("there is no span %q", name)
	}
	return found
}

func TestTransactionSpanLastsFromBeginToEnd(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	ctx, request := x.caller(t.Context(), "request")
	begun := x.begin(t, ctx)
	tx := x.of(t, "transaction")
	if tx.kind != trace.SpanKindInternal || tx.parent != request.context.SpanID() ||
		tx.attr("db.system.name") != "postgresql" || tx.attr("db.namespace") != "shop|public" {
		t.Errorf("parent %v:\n%s", tx.parent, tx.dump())
	}
	if b := x.of(t, "BEGIN shop|public"); b.parent != tx.context.SpanID() || b.ends != 1 || b.kind != trace.SpanKindClient {
		t.Errorf("BEGIN is no ended child of its transaction: parent %v", b.parent)
	}
	for _, s := range []*span{x.exec(t, ctx, sp.OpExec, "DELETE FROM t"), x.exec(t, ctx, sp.OpCommit, "")} {
		if s.parent != tx.context.SpanID() || len(s.links) != 0 {
			t.Errorf("%q: parent %v, links %v, want a child of the transaction", s.name, s.parent, s.links)
		}
	}
	if tx.ends != 0 {
		t.Fatal("the span ended before the transaction")
	}
	attach.Finish(begun, nil)
	if tx.ends != 1 || tx.late != 0 || tx.status != codes.Unset {
		t.Errorf("ended %d times:\n%s", tx.ends, tx.dump())
	}
	if s := x.exec(t, ctx, sp.OpExec, "DELETE FROM t"); s.parent != request.context.SpanID() {
		t.Errorf("a statement after the end has the parent %v", s.parent)
	}
}

func TestTransactionSpanTakesTheOperationsName(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	ctx := sp.WithCallName(t.Context(), "orders.ship")
	attach.Finish(x.begin(t, ctx), nil)
	if tx := x.of(t, "orders.ship"); tx.kind != trace.SpanKindInternal {
		t.Errorf("got\n%s", tx.dump())
	}
	x.of(t, "BEGIN shop|public")
}

func TestStatementUnderAnotherSpanIsLinkedWithItsTransaction(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	ctx, _ := x.caller(t.Context(), "request")
	begun := x.begin(t, ctx)
	defer attach.Finish(begun, nil)
	inside, step := x.caller(ctx, "step")
	s := x.exec(t, inside, sp.OpExec, "DELETE FROM t")
	if s.parent != step.context.SpanID() || len(s.links) != 1 || s.links[0] != x.of(t, "transaction").context.SpanID() {
		t.Errorf("parent %v, links %v", s.parent, s.links)
	}
}

func TestNoTransactionIsGuessed(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	ctx, request := x.caller(t.Context(), "request")
	defer attach.Finish(x.begin(t, ctx), nil)
	inside, step := x.caller(ctx, "step")
	defer attach.Finish(x.begin(t, inside), nil)

	own := x.exec(t, inside, sp.OpExec, "DELETE FROM a")
	if parent := x.r.all()[4]; own.parent != parent.context.SpanID() || parent.name != "transaction" {
		t.Errorf("a statement under the second transaction's span has the parent %v", own.parent)
	}
	other, third := x.caller(ctx, "another step")
	if s := x.exec(t, other, sp.OpExec, "DELETE FROM b"); s.parent != third.context.SpanID() || len(s.links) != 0 {
		t.Errorf("two transactions could be meant, and the span has the parent %v and the links %v", s.parent, s.links)
	}
	defer attach.Finish(x.begin(t, inside), nil)
	if s := x.exec(t, inside, sp.OpExec, "DELETE FROM c"); s.parent != step.context.SpanID() || len(s.links) != 0 {
		t.Errorf("two transactions of one span could be meant: parent %v, links %v", s.parent, s.links)
	}
	if s := x.exec(t, t.Context(), sp.OpExec, "DELETE FROM d"); s.parent.IsValid() || len(s.links) != 0 {
		t.Errorf("a statement of another trace: parent %v, links %v", s.parent, s.links)
	}
	free := call(sp.OpExec, "DELETE FROM e")
	if _, err := attach.Run(ctx, free, x.h); err != nil {
		t.Fatal(err)
	}
	if s := x.of(t, "DELETE e"); s.parent != request.context.SpanID() {
		t.Errorf("a statement outside of transactions has the parent %v", s.parent)
	}
}

func TestTransactionThatFailsFailsItsSpan(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	attach.Finish(x.begin(t, t.Context()), stateError("40001"))
	if tx := x.of(t, "transaction"); tx.ends != 1 || tx.status != codes.Error || tx.attr("error.type") != "40001" {
		t.Errorf("ended %d times:\n%s", tx.ends, tx.dump())
	}
	x = newTxHandle(t)
	c := failing(call(sp.OpBegin, ""), errors.New("no"))
	if _, err := attach.Run(t.Context(), c, x.h); err == nil {
		t.Fatal("BEGIN has not failed")
	}
	if tx := x.of(t, "transaction"); tx.ends != 1 || tx.status != codes.Error {
		t.Errorf("ended %d times:\n%s", tx.ends, tx.dump())
	}
}

func TestUnitOfWorkHasNoSecondTransactionSpan(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	unit := doing(call(sp.OpTransaction, ""), func(ctx context.Context, unit *sp.Call) error {
		inside := attach.Context(ctx, unit)
		begun := x.begin(t, inside)
		x.exec(t, inside, sp.OpExec, "DELETE FROM t")
		attach.Finish(begun, nil)
		return nil
	})
	if _, err := attach.Run(t.Context(), unit, x.h); err != nil {
		t.Fatal(err)
	}
	parent := x.of(t, "transaction").context.SpanID()
	for _, name := range []string{"BEGIN shop|public", "DELETE t"} {
		if s := x.of(t, name); s.parent != parent {
			t.Errorf("%s is no child of the unit", name)
		}
	}
}

func TestTransactionOfASessionIsBesideItsMethods(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	ctx, request := x.caller(t.Context(), "request")
	method := func(op sp.Op, do func(ctx context.Context)) {
		c := doing(call(op, ""), func(ctx context.Context, c *sp.Call) error {
			do(attach.Context(ctx, c))
			return nil
		})
		attach.Bind(ctx, c)
		if _, err := attach.Run(ctx, c, x.h); err != nil {
			t.Fatal(err)
		}
	}
	var begun *sp.Call
	var old context.Context
	method(sp.SessionOp("get"), func(ctx context.Context) {
		old, begun = ctx, x.begin(t, ctx)
		x.exec(t, ctx, sp.OpQuery, "SELECT a FROM t")
	})
	method(sp.SessionOp("commit"), func(ctx context.Context) {
		x.exec(t, ctx, sp.OpExec, "DELETE FROM t")
		x.exec(t, old, sp.OpCommit, "") // as database/sql does
		attach.Finish(begun, nil)
	})
	tx := x.of(t, "transaction")
	if tx.parent != request.context.SpanID() || tx.ends != 1 {
		t.Errorf("the transaction's parent is %v, it ended %d times", tx.parent, tx.ends)
	}
	if s := x.of(t, "COMMIT shop|public"); s.parent != tx.context.SpanID() {
		t.Errorf("COMMIT with the context of a method that is over has the parent %v", s.parent)
	}
	for name, parent := range map[string]string{"SELECT t": "session.get", "DELETE t": "session.commit"} {
		s := x.of(t, name)
		if s.parent != x.of(t, parent).context.SpanID() || len(s.links) != 1 || s.links[0] != tx.context.SpanID() {
			t.Errorf("%s: parent %v, links %v", name, s.parent, s.links)
		}
	}
}

func TestTransactionSpansAreMadeOnRequestOnly(t *testing.T) {
	t.Parallel()
	begin := func() *sp.Call {
		return doing(call(sp.OpBegin, ""), func(_ context.Context, c *sp.Call) error {
			attach.KeepOpen(c)
			return nil
		})
	}
	for name, opts := range map[string][]tracing.Option{
		"by default":            nil,
		"without transactions":  {tracing.WithTransactionSpans(), tracing.WithoutOperations(sp.OpTransaction)},
		"with a name for BEGIN": {tracing.WithSpanNameFunc(func(context.Context, *sp.Call) string { return "BEGIN shop|public" })},
	} {
		if s := observed(t, begin(), opts...); s.name != "BEGIN shop|public" {
			t.Errorf("%s: got the span %q", name, s.name)
		}
	}
	c := begin()
	c.Marks.Name = "orders.ship"
	if s := observed(t, c, tracing.WithTransactionSpans(), tracing.WithoutOperations(sp.OpTransaction)); s.name != "orders.ship" {
		t.Errorf("nothing but BEGIN can have the name, and its span is called %q", s.name)
	}
}

func TestUnsampledTransactionIsForgotten(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	x.r.unsampled = true
	ctx, request := x.caller(t.Context(), "request")
	defer attach.Finish(x.begin(t, ctx), nil)
	if s := x.of(t, "transaction"); s.ends != 1 || s.touched != 0 {
		t.Errorf("the span ended %d times and was touched %d times", s.ends, s.touched)
	}
	if s := x.exec(t, ctx, sp.OpExec, "DELETE FROM t"); s.parent != request.context.SpanID() {
		t.Errorf("the statement's parent is %v", s.parent)
	}
}

func TestTransactionsOfManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	x := newTxHandle(t)
	const workers, rounds = 8, 50
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				name := "t" + strconv.Itoa(w*rounds+i)
				ctx, _ := x.caller(t.Context(), name)
				begun := x.begin(t, ctx)
				c := call(sp.OpExec, "DELETE FROM "+name)
				c.InTx = true
				if _, err := attach.Run(ctx, c, x.h); err != nil {
					t.Error(err)
				}
				attach.Finish(begun, nil)
			}
		})
	}
	wg.Wait()
	byID := make(map[trace.SpanID]*span)
	for _, s := range x.r.all() {
		byID[s.context.SpanID()] = s
	}
	statements := 0
	for _, s := range byID {
		table, ok := strings.CutPrefix(s.name, "DELETE ")
		if !ok {
			continue
		}
		statements++
		tx := byID[s.parent]
		if tx == nil || tx.name != "transaction" || tx.ends != 1 || tx.late != 0 || byID[tx.parent].name != table {
			t.Fatalf("%s is no child of the transaction of its caller", s.name)
		}
	}
	if statements != workers*rounds {
		t.Errorf("%d statements have spans, want %d", statements, workers*rounds)
	}
}
