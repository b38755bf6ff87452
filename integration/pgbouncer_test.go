package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/enginetest"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// bounced is a table of its own.
type bounced struct {
	ID   int64
	Name string
	N    int
}

// pooledUnits are how many units of work the tests below run, from eight
// goroutines.
const pooledUnits = 240

// inCrowd calls one for each of pooledUnits, from more goroutines than the pooler
// has connections, and returns the errors.
func inCrowd(one func(i int) error) (failed []error) {
	const clients = 8
	var group sync.WaitGroup
	errs := make([]error, pooledUnits)
	for c := range clients {
		group.Go(func() {
			for i := c; i < pooledUnits; i += clients {
				errs[i] = one(i)
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// wrongError is an answer to another question.
type wrongError struct{ got, want int }

func (e *wrongError) Error() string { return fmt.Sprintf("%d in place of %d", e.got, e.want) }

// TestPgBouncerBehindPlainDrivers asks different things at once, by texts of
// which each has an answer of its own: a statement that another client has
// prepared on the connection gives a wrong one. The ways are those of
// docs/pgbouncer.md.
func TestPgBouncerBehindPlainDrivers(t *testing.T) {
	t.Parallel()
	d := dbtest.PgBouncer(t, dbtest.Postgres(t).Database(t))
	text := func(i int) string { return fmt.Sprintf("SELECT $1::int + %d", i%20) }
	check := func(i, got int, err error) error {
		if want := i + i%20; err == nil && got != want {
			return &wrongError{got, want}
		}
		return err
	}
	wrong := func(failed []error) bool {
		return slices.ContainsFunc(failed, func(err error) bool {
			_, ok := errors.AsType[*wrongError](err)
			return ok
		})
	}
	for _, way := range []struct {
		param        string
		fails, wrong bool
	}{
		{"default_query_exec_mode=exec", false, false},
		{"default_query_exec_mode=simple_protocol", false, false},
		{"default_query_exec_mode=cache_describe", false, false},
		{"default_query_exec_mode=describe_exec", true, true},
		{"application_name=shop", true, false},
	} {
		pool := must(pgxdb.NewPool(t.Context(), d.URL(way.param, "pool_max_conns=8"), sp.NewChain(collect(t).tracing)))
		failed := inCrowd(func(i int) error {
			var got int
			err := pool.QueryRow(t.Context(), text(i), i).Scan(&got)
			return check(i, got, err)
		})
		pool.Close()
		if (len(failed) > 0) != way.fails || wrong(failed) != way.wrong {
			t.Errorf("pgx with %s: %d fail: %v", way.param, len(failed), errors.Join(failed...))
		}
	}
	for _, way := range []struct {
		param        string
		fails, wrong bool
	}{
		{"binary_parameters=yes", false, false},
		{"application_name=shop", true, true},
	} {
		db := must(sqldb.Open("postgres", d.URL(way.param), sp.NewChain(collect(t).tracing)))
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
		failed := inCrowd(func(i int) error {
			var got int
			err := db.QueryRowContext(t.Context(), text(i), i).Scan(&got)
			return check(i, got, err)
		})
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if (len(failed) > 0) != way.fails || wrong(failed) != way.wrong {
			t.Errorf("lib/pq with %s: %d fail: %v", way.param, len(failed), errors.Join(failed...))
		}
	}
}

// awaitedUnit is a unit of work of an awaited session: statements that nobody
// waits for one by one, rows of the unit of work, a stream.
func awaitedUnit(ctx context.Context, maker *proxy.Maker, i int) error {
	return maker.Async().With(ctx, func(ctx context.Context, a *proxy.AsyncSession) error {
		row := &bounced{Name: fmt.Sprint("unit ", i), N: i}
		if err := a.Add(row); err != nil {
			return err
		}
		if err := a.Flush(ctx).Await(ctx); err != nil {
			return err
		}
		var sums []proxy.Future[*engine.Result]
		for k := range 5 {
			sums = append(sums, a.Execute(ctx, engine.Text(fmt.Sprintf("SELECT n + ? + %d FROM bounced WHERE id = ?", i%10), k, row.ID)))
		}
		for k, f := range sums {
			res, err := f.Await(ctx)
			if err != nil {
				return err
			}
			if got, err := res.Scalar(); err != nil || fmt.Sprint(got) != fmt.Sprint(i+k+i%10) {
				return fmt.Errorf("%v in place of %d: %w", got, i+k+i%10, err)
			}
		}
		row.N = -i
		return a.Commit(ctx).Await(ctx)
	})
}

// TestPgBouncerByOneParameter runs awaited sessions through PgBouncer: with the
// parameter each of them succeeds, without it many do not, and say what to do.
func TestPgBouncerByOneParameter(t *testing.T) {
	t.Parallel()
	d := dbtest.PgBouncer(t, dbtest.Postgres(t).Database(t))
	run := func(params ...string) (e *engine.Engine, c *travelling, failed []error) {
		c = &travelling{}
		e = openEngine(t, d.URL(params...), engine.WithChain(sp.NewChain(c)), engine.WithPoolSize(8))
		maker := must(proxy.NewMaker(e))
		return e, c, inCrowd(func(i int) error { return awaitedUnit(t.Context(), maker, i) })
	}
	e := openEngine(t, d.URL("pooler=transaction"))
	if err := orm.CreateAll(t.Context(), e, (*bounced)(nil)); err != nil {
		t.Fatal(err)
	}
	e, c, failed := run("pooler=transaction", "timezone=Asia/Tokyo", "application_name=shop")
	if len(failed) > 0 {
		t.Errorf("%d of %d units fail: %v", len(failed), pooledUnits, failed[0])
	}
	n, _, err := engine.Scalar[int](t.Context(), e, engine.Text("SELECT count(*) FROM bounced WHERE n <= 0"))
	if err != nil || n != pooledUnits {
		t.Errorf("%d rows of %d units: %v", n, pooledUnits, err)
	}
	if c.shared.Load() == 0 {
		t.Error("no statements travelled together")
	}
	for range 20 {
		if zone, err := execute(t, e, "SELECT current_setting('TimeZone') || ' ' || current_setting('application_name')").Scalar(); zone != "Asia/Tokyo shop" {
			t.Fatalf("a session has %v, %v", zone, err)
		}
	}

	_, _, failed = run()
	if len(failed) == 0 {
		t.Fatal("without the parameter every unit succeeds: this test shows nothing")
	}
	told := 0
	for _, err := range failed {
		if strings.Contains(err.Error(), "set pooler=transaction in the URL") {
			told++
		}
	}
	t.Logf("without the parameter %d of %d units fail, %d of them say what to do", len(failed), pooledUnits, told)
	if told == 0 {
		t.Errorf("no error says what to do: %v", failed[0])
	}
}

// travelling counts statements that travelled with others.
type travelling struct{ shared atomic.Int64 }

// Wrap is the method of [sp.Interceptor].
func (c *travelling) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		call.OnEvent(func(e sp.Event) {
			if e.Kind == sp.EventPipelined {
				c.shared.Add(1)
			}
		})
		call.OnFinish(func(error) {})
		return next(ctx, call)
	}
}

// TestPgBouncerKeepsTheContract runs all that an engine promises through
// PgBouncer.
func TestPgBouncerKeepsTheContract(t *testing.T) {
	t.Parallel()
	server := dbtest.Postgres(t)
	through := dbtest.PgBouncer(t, server.Database(t), dbtest.Config("default_pool_size", "20"))
	enginetest.Run(t, enginetest.Database{URL: func(t testing.TB) string {
		d := server.Database(t)
		d.Host, d.Port = through.Host, through.Port
		return d.URL("pooler=transaction")
	}})
}

// TestPgBouncerRefusesParametersOfSessions tries what a server takes.
func TestPgBouncerRefusesParametersOfSessions(t *testing.T) {
	t.Parallel()
	behind := dbtest.Postgres(t).Database(t)
	through := dbtest.PgBouncer(t, behind)
	for _, param := range []string{
		"search_path=a", "statement_timeout=5s", "lock_timeout=5s", "idle_in_transaction_session_timeout=5s", "options=-c%20work_mem%3D8MB",
	} {
		name, value, _ := strings.Cut(param, "=")
		value = strings.NewReplacer("%20", " ", "%3D", "=").Replace(value)
		openEngine(t, behind.URL(name+"="+value))
		for _, params := range [][]string{{name + "=" + value}, {name + "=" + value, "pooler=transaction"}} {
			_, err := engine.Open(t.Context(), through.URL(params...))
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("parameter %q", name)) || !strings.Contains(err.Error(), "ALTER ROLE") {
				t.Errorf("%v: the error %v does not say what to do about %s", params, err, name)
			}
		}
		raw := must(pgxpool.New(t.Context(), through.URL(name+"="+value)))
		pool := must(pgxdb.WrapPool(raw, sp.NewChain()))
		if err := pool.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "unsupported startup parameter: "+name) {
			t.Errorf("pgxdb: the error %v does not name %s", err, name)
		}
		pool.Close()
	}
}
