package pgxdb

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/sessionproxy/sessionproxy/attach"
)

// connection is [Conn] under a name that leaves PoolConn.Conn to the method.
type connection = Conn

// PoolConn is a connection taken from a pool by [Pool.Acquire]. It has the
// methods of [Conn] and those of pgxpool's Conn.
type PoolConn struct {
	connection
	acquired acquired
}

// newPoolConn returns the connection that was taken.
func (p *Pool) newPoolConn(h acquired) *PoolConn {
	conn := h.conn.Conn()
	return &PoolConn{connection: Conn{executor{pipeline: p.pipeline, raw: conn, conn: conn, node: nodeOf(conn)}}, acquired: h}
}

// Acquire takes a connection from the pool, as a call that ends with its
// Release. The connection must be released.
func (p *Pool) Acquire(ctx context.Context) (*PoolConn, error) {
	h, err := p.acquireHeld(ctx)
	if err != nil {
		return nil, err
	}
	return p.newPoolConn(h), nil
}

func (p *Pool) acquireHeld(ctx context.Context) (acquired, error) {
	if !p.empty {
		return p.acquire(ctx, p.pool)
	}
	conn, err := p.pool.Acquire(ctx)
	return acquired{conn: conn}, err
}

// AcquireFunc calls f with a connection from the pool and releases it
// afterwards.
func (p *Pool) AcquireFunc(ctx context.Context, f func(*PoolConn) error) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return f(c)
}

// AcquireAllIdle takes all connections that are idle at this moment, as pgxpool
// does. Taking them is not a call of the chain; using them is. Each must be
// released.
func (p *Pool) AcquireAllIdle(ctx context.Context) []*PoolConn {
	var conns []*PoolConn
	for _, pool := range p.pools() {
		for _, c := range pool.AcquireAllIdle(ctx) {
			conns = append(conns, p.newPoolConn(acquired{conn: c}))
		}
	}
	return conns
}

// Conn returns pgx's own connection, as pgxpool's Conn does. What you do with
// it bypasses the chain.
func (c *PoolConn) Conn() *pgx.Conn { return c.conn }

// Release returns the connection to its pool, which closes it if it can't be
// used again because it is broken, busy, or inside a transaction. Releasing
// twice does nothing. The connection must not be used afterwards.
func (c *PoolConn) Release() { c.acquired.release() }

// Hijack removes the connection from the pool for good; the caller must close
// it. It panics if the connection was released.
func (c *PoolConn) Hijack() *Conn {
	conn, call := c.acquired.conn, c.acquired.call
	c.acquired = acquired{}
	conn.Hijack()
	if call != nil && attach.Finish(&call.Call, nil) {
		call.free()
	}
	return &Conn{c.executor}
}
