package postgres

import (
	"context"

	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
)

// pool is a pool of pgx and the number of its users. After Dispose it is closed
// when the last of them is done: closing it earlier would cancel the
// connections that are being opened. Its fields are guarded by the database's
// lock.
type pool struct {
	*pgxdb.Pool
	users    int
	disposed bool
}

// use returns the pool, opening it if necessary. The caller must call done.
func (b *database) use() (*pool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool == nil {
		opened, err := pgxdb.NewPoolWithConfig(context.Background(), b.config, b.chain)
		if err != nil {
			return nil, err
		}
		b.pool = &pool{Pool: opened}
	}
	b.pool.users++
	return b.pool, nil
}

// done ends a use. The caller has given its connection back.
func (b *database) done(p *pool) {
	b.mu.Lock()
	p.users--
	last := p.disposed && p.users == 0
	b.mu.Unlock()
	if last {
		p.Close()
	}
}

// Dispose implements [backend.DB].
func (b *database) Dispose() error {
	b.mu.Lock()
	p := b.pool
	b.pool = nil
	last := false
	if p != nil {
		p.disposed, last = true, p.users == 0
	}
	b.mu.Unlock()
	switch {
	case last:
		p.Close()
	case p != nil:
		p.Reset()
	}
	return nil
}

// enter waits at the gate and returns the pool, once the server is known. For a
// statement or a unit of work on the pool, the gate may be an interceptor, and
// enter skips it; for a held connection it does not.
func (b *database) enter(ctx context.Context, held bool) (*pool, error) {
	p, err := b.use()
	if err != nil {
		return nil, err
	}
	if !b.known.Load() {
		err = b.ask(ctx, p)
	}
	if err == nil && (held || b.outside) {
		_, err = b.gate.Enter(ctx)
	}
	if err != nil {
		b.done(p)
		return nil, err
	}
	return p, nil
}

// leave undoes enter.
func (b *database) leave(p *pool, held bool) {
	if held || b.outside {
		b.gate.Leave()
	}
	b.done(p)
	b.trim()
}

// ask takes a connection, whose handshake identifies the server.
func (b *database) ask(ctx context.Context, p *pool) error {
	if _, err := b.gate.Enter(ctx); err != nil {
		return err
	}
	defer b.gate.Leave()
	c, err := p.Acquire(ctx)
	if err != nil {
		return explain(err)
	}
	defer c.Release()
	version := c.Unwrap().PgConn().ParameterStatus("server_version")
	b.dialect.Store(dialect(p.Target().System, version))
	b.known.Store(true)
	return nil
}

// trim closes idle connections beyond the pool's size, after a burst. pgx's own
// hook for that would start a goroutine at every release.
func (b *database) trim() {
	if !b.gate.Burst() {
		return
	}
	p, err := b.use()
	if err != nil {
		return
	}
	defer b.done(p)
	over := p.Stat().TotalConns() - b.size
	if over <= 0 {
		b.gate.ResetBurst()
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
