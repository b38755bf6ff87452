package postgres

import (
	"context"
	"errors"

	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
)

// db returns the pool, which it opens if need be.
func (b *backend) db() (*pgxdb.Pool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool != nil {
		return b.pool, nil
	}
	pool, err := pgxdb.NewPoolWithConfig(context.Background(), b.config, b.chain)
	if err != nil {
		return nil, err
	}
	b.pool = pool
	return pool, nil
}

// with calls fn with the pool, again if it was disposed of meanwhile: then
// nothing was sent, and the new one will do.
func (b *backend) with(ctx context.Context, fn func(p *pgxdb.Pool) error) error {
	for {
		p, err := b.ready(ctx)
		if err != nil {
			return err
		}
		if err = fn(p); err == nil || !b.disposed(p, err) {
			return err
		}
	}
}

func (b *backend) disposed(p *pgxdb.Pool, err error) bool {
	b.mu.Lock()
	replaced := b.pool != p
	b.mu.Unlock()
	return replaced && isClosed(err)
}

// isClosed reports whether err is the answer of a closed pool, whose error
// pgxpool does not export.
func isClosed(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == "closed pool" {
			return true
		}
	}
	return false
}

// ready returns the pool of a server that is known.
func (b *backend) ready(ctx context.Context) (*pgxdb.Pool, error) {
	p, err := b.db()
	if err != nil || b.known.Load() {
		return p, err
	}
	return p, b.ask(ctx, p)
}

// ask takes a connection, whose handshake tells what the server is.
func (b *backend) ask(ctx context.Context, p *pgxdb.Pool) error {
	if _, err := b.gate.Enter(ctx); err != nil {
		return err
	}
	defer b.gate.Leave()
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	version := c.Unwrap().PgConn().ParameterStatus("server_version")
	b.dialect.Store(dialect(p.Target().System, version))
	b.known.Store(true)
	return nil
}

// trim closes idle connections beyond the pool's size, after a burst. pgx's own
// hook for that makes a goroutine of every release.
func (b *backend) trim() {
	if !b.gate.Burst() {
		return
	}
	b.mu.Lock()
	p := b.pool
	b.mu.Unlock()
	if p == nil {
		return
	}
	over := p.Stat().TotalConns() - b.size
	if over <= 0 {
		b.gate.Settle()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	for _, c := range p.Unwrap().AcquireAllIdle(ctx) {
		if over > 0 {
			over--
			_ = c.Conn().Close(ctx) // it is gone either way
		}
		c.Release()
	}
}

// enter waits at the gate, if that stands around calls. leave ends it.
func (b *backend) enter(ctx context.Context) error {
	if !b.outside {
		return nil
	}
	_, err := b.gate.Enter(ctx)
	return err
}

func (b *backend) leave() {
	if b.outside {
		b.gate.Leave()
	}
	b.trim()
}
