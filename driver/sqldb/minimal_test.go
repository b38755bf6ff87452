package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// The drivers of this file are as small as database/sql allows. Each test adds
// the one optional interface it is about.

// minimalConn has no optional interface at all.
type minimalConn struct {
	log    *journal
	stmt   func(query string) driver.Stmt // nil: a minimalStmt
	closed atomic.Bool
}

// journal writes down what reached the driver.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.lines...)
}

func (j *journal) count(line string) (n int) {
	for _, l := range j.all() {
		if l == line {
			n++
		}
	}
	return n
}

func (c *minimalConn) Prepare(query string) (driver.Stmt, error) {
	c.log.add("prepare %s", query)
	if c.stmt != nil {
		return c.stmt(query), nil
	}
	return &minimalStmt{log: c.log, query: query}, nil
}

func (c *minimalConn) Close() error {
	c.closed.Store(true)
	c.log.add("close")
	return nil
}

func (c *minimalConn) Begin() (driver.Tx, error) {
	c.log.add("begin")
	return minimalTx{c.log}, nil
}

type minimalTx struct{ log *journal }

func (t minimalTx) Commit() error   { t.log.add("commit"); return nil }
func (t minimalTx) Rollback() error { t.log.add("rollback"); return nil }

type minimalStmt struct {
	log   *journal
	query string
	err   error
}

func (s *minimalStmt) Close() error  { s.log.add("close stmt"); return nil }
func (s *minimalStmt) NumInput() int { return -1 }

func (s *minimalStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.log.add("exec %s %v", s.query, args)
	return driver.RowsAffected(1), s.err
}

func (s *minimalStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.log.add("query %s %v", s.query, args)
	return &minimalRows{log: s.log, values: []int64{1, 2, 3}}, s.err
}

type minimalRows struct {
	log    *journal
	values []int64
	err    error
}

func (r *minimalRows) Columns() []string { return []string{"n"} }
func (r *minimalRows) Close() error      { r.log.add("close rows"); return nil }

func (r *minimalRows) Next(dest []driver.Value) error {
	if len(r.values) == 0 {
		if r.err != nil {
			return r.err
		}
		return io.EOF
	}
	dest[0], r.values = r.values[0], r.values[1:]
	return nil
}

// fakeDriver opens the connections a test makes.
type fakeDriver struct{ open func() (driver.Conn, error) }

func (d fakeDriver) Open(string) (driver.Conn, error) { return d.open() }

// connectorFor is a connector of connections that a test makes.
type connectorFor struct{ open func() (driver.Conn, error) }

func (c connectorFor) Connect(context.Context) (driver.Conn, error) { return c.open() }
func (c connectorFor) Driver() driver.Driver                        { return fakeDriver(c) }

// recorder is an interceptor that writes down the calls it sees.
type recorder struct {
	mu       sync.Mutex
	calls    []seen
	finished []error
}

type seen struct {
	op       sp.Op
	text     string
	inTx     bool
	prepared bool
	step     bool
	err      error
}

func (r *recorder) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		s := seen{op: call.Op, text: call.Text, inTx: call.InTx, prepared: call.Prepared, step: call.Step()}
		call.OnFinish(func(err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.finished = append(r.finished, err)
		})
		s.err = next(ctx, call)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls = append(r.calls, s)
		return s.err
	}
}

// ops returns the operations seen, but for connect and ping.
func (r *recorder) ops() (out []sp.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.op != sp.OpConnect && !c.step {
			out = append(out, c.op)
		}
	}
	return out
}

func (r *recorder) errs() (out []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.err != nil {
			out = append(out, c.err)
		}
	}
	return out
}

func (r *recorder) finishes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.finished)
}

// openWith opens a database on connections made by a test, through a recorder.
func openWith(t *testing.T, conn func(log *journal) driver.Conn, chain ...sp.Interceptor) (*sql.DB, *recorder, *journal) {
	t.Helper()
	log, rec := &journal{}, &recorder{}
	c := connectorFor{func() (driver.Conn, error) {
		log.add("open")
		return conn(log), nil
	}}
	db := sqldb.OpenDB(c, sp.NewChain(append(chain, rec)...))
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, rec, log
}

// through runs a test with the recorder in the chain and with an empty chain,
// and on the driver alone, which must all do the same.
func through(t *testing.T, conn func(log *journal) driver.Conn, test func(t *testing.T, db *sql.DB, log *journal)) {
	t.Helper()
	open := map[string]func(c driver.Connector) *sql.DB{
		"driver alone": sql.OpenDB,
		"empty chain":  func(c driver.Connector) *sql.DB { return sqldb.OpenDB(c, sp.Chain{}) },
		"chain":        func(c driver.Connector) *sql.DB { return sqldb.OpenDB(c, sp.NewChain(&recorder{})) },
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			log := &journal{}
			db := open(connectorFor{func() (driver.Conn, error) { return conn(log), nil }})
			defer db.Close()
			test(t, db, log)
		})
	}
}

var errRefused = errors.New("refused by the database")
