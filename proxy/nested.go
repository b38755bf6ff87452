package proxy

import (
	"context"

	"github.com/sessionproxy/sessionproxy/orm"
)

// BeginNested is [orm.Session.BeginNested].
func (p *Proxy) BeginNested(ctx context.Context) Future[*Nested] {
	if p.awaited != nil {
		return convert(p.awaited.BeginNested(ctx), func(n *AsyncNested) *Nested { return &Nested{awaited: n} })
	}
	n, err := p.blocking.BeginNested(ctx)
	return Settled(&Nested{blocking: n}, err)
}

// Transaction returns the session's transaction that is open, or nil.
func (p *Proxy) Transaction() *Transaction {
	var t *orm.Transaction
	if p.awaited != nil {
		t = p.awaited.local().Transaction()
	} else {
		t = p.blocking.Transaction()
	}
	if t == nil {
		return nil
	}
	return &Transaction{p, t}
}

// NestedTransaction returns the innermost savepoint that is open, or nil.
func (p *Proxy) NestedTransaction() *Nested {
	if p.awaited != nil {
		if n := p.awaited.NestedTransaction(); n != nil {
			return &Nested{awaited: n}
		}
		return nil
	}
	if n := p.blocking.NestedTransaction(); n != nil {
		return &Nested{blocking: n}
	}
	return nil
}

// Transaction is a transaction of a session of any kind.
type Transaction struct {
	proxy *Proxy
	tx    *orm.Transaction
}

// IsActive reports whether the transaction is open.
func (t *Transaction) IsActive() bool {
	if t.proxy.awaited != nil {
		t.proxy.awaited.local()
	}
	return t.tx.IsActive()
}

// Commit is [orm.Transaction.Commit].
func (t *Transaction) Commit(ctx context.Context) Completion {
	if t.proxy.awaited == nil || !t.IsActive() {
		return completed(t.tx.Commit(ctx))
	}
	return t.proxy.Commit(ctx)
}

// Rollback is [orm.Transaction.Rollback].
func (t *Transaction) Rollback(ctx context.Context) Completion {
	if t.proxy.awaited == nil || !t.IsActive() {
		return completed(t.tx.Rollback(ctx))
	}
	return t.proxy.Rollback(ctx)
}

// Nested is a savepoint of a session of any kind.
type Nested struct {
	blocking *orm.Nested
	awaited  *AsyncNested
}

// IsActive is [orm.Nested.IsActive].
func (n *Nested) IsActive() bool {
	if n.awaited != nil {
		return n.awaited.IsActive()
	}
	return n.blocking.IsActive()
}

// Commit is [orm.Nested.Commit].
func (n *Nested) Commit(ctx context.Context) Completion {
	if n.awaited != nil {
		return n.awaited.Commit(ctx)
	}
	return completed(n.blocking.Commit(ctx))
}

// Rollback is [orm.Nested.Rollback].
func (n *Nested) Rollback(ctx context.Context) Completion {
	if n.awaited != nil {
		return n.awaited.Rollback(ctx)
	}
	return completed(n.blocking.Rollback(ctx))
}
