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
