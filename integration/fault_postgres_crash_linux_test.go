package integration_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// faultSignal sends a signal to a process of a private server.
func faultSignal(t *testing.T, pid string, signal syscall.Signal) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, signal); err != nil {
		t.Fatal(err)
	}
}

// faultParent returns the process that made another one.
func faultParent(t *testing.T, pid string) string {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, parent, _ := strings.Cut(string(status), "PPid:")
	parent, _, _ = strings.Cut(parent, "\n")
	return strings.TrimSpace(parent)
}

// TestFaultPostgresCrash kills one process of a server, which makes it end the
// sessions of all others. It tells them so by a warning, which is no error:
// what reaches the caller is the end of the connection.
func TestFaultPostgresCrash(t *testing.T) {
	t.Parallel()
	for _, d := range faultPostgresDrivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			server := dbtest.Private(t, dbtest.KindPostgres)
			db := server.Database(t)
			w := faultWatcher{d.open(t, db.DSN())}
			bystander, victim := d.open(t, db.DSN()), d.open(t, db.DSN())
			pid := w.pid(t, victim)
			err := faultSleep(t, t.Context(), w, bystander, w.pid(t, bystander), func() { faultSignal(t, pid, syscall.SIGKILL) })
			faultLost.check(t, err)
			faultLost.check(t, victim.exec(t.Context(), "SELECT 1"))
		})
	}
}

// TestFaultPostgresShuttingDown connects to a server that waits for its last
// client.
func TestFaultPostgresShuttingDown(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindPostgres)
	db := server.Database(t)
	last := faultPostgresDrivers[0].open(t, db.DSN())
	faultSignal(t, faultParent(t, faultWatcher{}.pid(t, last)), syscall.SIGTERM)
	want := faultNotMade
	want.Class = fault.ClassServerDown
	for _, d := range faultPostgresDrivers {
		for { // until the signal has arrived
			c, err := d.dial(t.Context(), db.DSN())
			if err != nil {
				break
			}
			c.close()
		}
		faultChecksDial(t, d, db.DSN(), want, "57P03")
	}
	faultExec(t, last, "SELECT 1")
}

// TestFaultPostgresCommitted ends a session whose COMMIT is done and waits for
// a standby. What the drivers say of it does not differ from what they say
// when nothing was committed: pgx 5.12 calls it safe to retry, and its stdlib
// answers driver.ErrBadConn for the INSERT, upon which a sql.DB would send it
// again.
func TestFaultPostgresCommitted(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindPostgres,
		dbtest.Config("synchronous_standby_names", "nobody"), dbtest.Config("synchronous_commit", "local"))
	for _, d := range faultPostgresDrivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := server.Database(t)
			w := faultWatcher{d.open(t, db.DSN())}
			faultExec(t, w, "CREATE TABLE t (id int)")
			lost := faultLost
			lost.inTx = fault.RetryNone

			conn := d.open(t, db.DSN())
			faultExec(t, conn, "SET synchronous_commit = on")
			pid := w.pid(t, conn)
			tx := faultBegin(t, conn)
			faultExec(t, tx, "INSERT INTO t VALUES (1)")
			lost.checkCommit(t, w.interrupted(t, pid, func() error { return tx.commit(t.Context()) }))

			conn = d.open(t, db.DSN())
			faultExec(t, conn, "SET synchronous_commit = on")
			pid = w.pid(t, conn)
			lost.check(t, w.interrupted(t, pid, func() error { return conn.exec(t.Context(), "INSERT INTO t VALUES (2)") }))

			if n, err := w.ask(t.Context(), "SELECT count(*)::text FROM t"); n != "2" || err != nil {
				t.Errorf("%s of two rows were committed (%v)", n, err)
			}
		})
	}
}

// interrupted ends a process while its commit waits for a standby.
func (w faultWatcher) interrupted(t *testing.T, pid string, commit func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- commit() }()
	w.until(t, "1", pid, "wait_event = 'SyncRep'")
	w.terminate(t, pid)
	return <-done
}
