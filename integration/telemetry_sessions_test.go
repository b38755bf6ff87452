package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// Rack holds bottles.
type Rack struct {
	ID      int64
	Name    string    `orm:",unique"`
	Bottles []*Bottle `orm:"rel:has-many,cascade:all+orphan"`
}

// Bottle is in a rack.
type Bottle struct {
	ID     int64
	RackID int64
	Label  string
	Rack   *Rack `orm:"rel:belongs-to"`
}

// sessions calls every method of a session that may do I/O, of both kinds, and
// what an awaited engine does.
func (e *emitter) sessions(t *testing.T) {
	ctx := t.Context()
	eng, err := engine.Open(ctx, e.url, engine.WithChain(sp.NewChain(e.chain()...)), engine.WithPoolSize(1), engine.WithMaxOverflow(0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := eng.Dispose(); err != nil {
			t.Error(err)
		}
	}()
	stop := must(tracing.WatchPool(e.meters, "engine", eng.PoolStats))
	t.Cleanup(func() { _ = stop() }) // the provider goes with the test
	if err := orm.CreateAll(ctx, eng, (*Rack)(nil), (*Bottle)(nil)); err != nil {
		t.Fatal(err)
	}
	m := must(proxy.NewMaker(eng, proxy.WithMeterProvider(e.meters)))
	for _, p := range []*proxy.Proxy{proxy.New(m.Session()), proxy.New(m.Async())} {
		if err := story(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	err = m.Run(ctx, func(_ context.Context, s *proxy.Session) error { return s.Add(&Rack{Name: canary + "run"}) })
	if err != nil {
		t.Fatal(err)
	}
	e.crowdedPool(t, eng)
	if e.system == sp.PostgreSQL {
		e.together(t, m.Async())
	}
}

// together has statements wait behind one that waits for a lock, and travel
// together when it is free.
func (e *emitter) together(t *testing.T, a *proxy.AsyncSession) {
	db := openDSN(t, e.driver, e.source)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, "LOCK TABLE notes")
	for range 10 {
		a.Execute(t.Context(), engine.Text("UPDATE notes SET name = name WHERE name = ?", canary))
	}
	if err := errors.Join(tx.Commit(), a.Commit(t.Context()).Await(t.Context()), a.Aclose(t.Context()).Await(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// story calls the methods of a session.
func story(ctx context.Context, p *proxy.Proxy) error {
	kind := "blocking"
	if p.IsAsync() {
		kind = "awaited"
	}
	top := &Rack{Name: canary + kind, Bottles: []*Bottle{{Label: canary}, {Label: canary + "2"}}}
	one := engine.Text(fmt.Sprintf("SELECT name FROM rack WHERE name = '%s%s' AND id < %d", canary, kind, secretKey))
	errs := []error{
		p.Begin(ctx).Await(ctx), p.Add(top), p.AddAll(&Rack{Name: canary + kind + "2"}), p.Flush(ctx).Await(ctx),
		p.Refresh(ctx, top).Await(ctx), p.Commit(ctx).Await(ctx),
	}
	note := func(err error) { errs = append(errs, err) }
	_, err := proxy.GetOne[Rack](ctx, p, top.ID).Await(ctx)
	note(err)
	_, err = proxy.Get[Bottle](ctx, p, secretKey).Await(ctx)
	note(err)
	_, err = proxy.Scalar[string](ctx, p, one).Await(ctx)
	note(err)
	_, err = proxy.Scalars[string](ctx, p, one).Await(ctx)
	note(err)
	_, err = p.Execute(ctx, engine.Text("UPDATE bottle SET label = :label WHERE label = :label", sql.Named("label", canary))).Await(ctx)
	note(err)
	_, err = proxy.FindAll(ctx, p, orm.From[Rack]().Where("name <> ?", canary).With("Bottles")).Await(ctx)
	note(err)
	nested, err := p.BeginNested(ctx).Await(ctx)
	note(errors.Join(err, nested.Commit(ctx).Await(ctx)))
	nested, err = p.BeginNested(ctx).Await(ctx)
	note(errors.Join(err, nested.Rollback(ctx).Await(ctx)))
	_, err = proxy.Merge(ctx, p, &Rack{ID: top.ID, Name: canary + kind + "3"}).Await(ctx)
	note(err)
	note(p.Delete(ctx, top.Bottles[0]).Await(ctx))
	_, err = p.Connection(ctx).Await(ctx)
	note(err)
	note(p.Commit(ctx).Await(ctx))
	note(onlyOne(ctx, p, one))
	note(errors.Join(p.Rollback(ctx).Await(ctx), p.Reset(ctx).Await(ctx)))
	if err := p.Add(&Rack{Name: canary + kind + "3"}); err != nil {
		return err
	}
	if p.Flush(ctx).Await(ctx) == nil { // there is one
		note(errors.New("two racks of one name"))
	}
	note(errors.Join(p.Invalidate(ctx).Await(ctx), p.Close(ctx).Await(ctx)))
	return errors.Join(errs...)
}

// onlyOne calls the methods that one kind of session has.
func onlyOne(ctx context.Context, p *proxy.Proxy, st engine.Statement) error {
	if !p.IsAsync() {
		q, err := proxy.Query[Rack](p)
		if err == nil {
			_, err = q.All(ctx)
		}
		return err
	}
	rows, err := p.Stream(ctx, st).Await(ctx)
	_, readErr := rows.All(ctx).Await(ctx)
	values, valuesErr := p.StreamScalars(ctx, st).Await(ctx)
	_, scalarsErr := values.All(ctx).Await(ctx)
	_, runErr := proxy.RunSync(ctx, p, func(ctx context.Context, s *orm.Session) (int64, error) {
		return orm.From[Rack]().Count(ctx, s)
	}).Await(ctx)
	return errors.Join(err, readErr, valuesErr, scalarsErr, runErr)
}

// crowdedPool has a call wait for the only connection of a pool.
func (e *emitter) crowdedPool(t *testing.T, eng *engine.Engine) {
	tx, err := eng.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		waiting <- eng.RunInTx(t.Context(), func(context.Context, *engine.Tx) error { return nil })
	}()
	for eng.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	if err := errors.Join(tx.Commit(t.Context()), <-waiting); err != nil {
		t.Fatal(err)
	}
}

// pools watches pools that tell much, little and all, and uses pgx.
func (e *emitter) pools(t *testing.T) {
	watched := func(name string, stats func() sp.PoolStats) {
		stop := must(tracing.WatchPool(e.meters, name, stats))
		t.Cleanup(func() { _ = stop() }) // the provider goes with the test
	}
	db := openDSN(t, e.driver, e.source, e.chain()...)
	db.SetMaxOpenConns(3)
	watched("little", func() sp.PoolStats { return sqldb.PoolStats(db.DB) })
	watched("all", func() sp.PoolStats {
		return sp.PoolStats{Idle: 1, Used: 2, Max: 3, IdleMax: 4, IdleMin: 5, Pending: 6, Timeouts: 7}
	})
	if e.system != sp.PostgreSQL {
		return
	}
	pool := must(pgxdb.NewPool(t.Context(), e.url, sp.NewChain(e.chain()...), pgxdb.WithAcquireCalls()))
	t.Cleanup(pool.Close)
	watched("much", pool.PoolStats)
	e.native(t, pool)
}

// native uses what pgx has beyond database/sql.
func (e *emitter) native(t *testing.T, pool *pgxdb.Pool) {
	ctx := t.Context()
	if err := pool.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	rows := [][]any{{canary + "copied"}, {canary + "copied too"}}
	if n, err := pool.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"name"}, pgx.CopyFromRows(rows)); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if _, err := pool.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"name"}, pgx.CopyFromRows(rows)); err == nil {
		t.Fatal("copied twice")
	}
	for _, third := range []string{canary + "third", canary + "copied"} { // the second time, a note that is there
		b := &pgx.Batch{}
		b.Queue("SELECT COUNT(*) FROM notes WHERE name = $1", canary)
		b.Queue("SELECT name FROM notes WHERE name = '" + canary + "'")
		b.Queue("INSERT INTO notes (name) VALUES ($1)", third)
		answers := pool.SendBatch(ctx, b)
		_, countErr := answers.Exec()
		_, selectErr := answers.Exec()
		_, err := answers.Exec()
		_ = answers.Close() // has the same error
		if before := errors.Join(countErr, selectErr); before != nil || (third == canary+"copied") != (err != nil) {
			t.Fatal(before, err)
		}
	}
	err := pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		nested, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := nested.Prepare(ctx, canary, "SELECT '"+canary+"'"); err != nil {
			return err
		}
		if _, err := nested.Exec(ctx, "SELECT set_config('application_name', '"+canary+"', true)"); err != nil {
			return err
		}
		return errors.Join(nested.Rollback(ctx), tx.QueryRow(ctx, "SELECT pg_notify($1, $2)", canary, canary).Scan(nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec(ctx, "SELECT CAST('"+canary+"' AS integer)")
	if err == nil {
		t.Fatal("a word is a number")
	}
}
