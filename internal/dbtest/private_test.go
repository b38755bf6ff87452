package dbtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// each runs a test on a private server of each kind.
func each(t *testing.T, test func(t *testing.T, s *dbtest.PrivateServer), opts ...dbtest.Option) {
	t.Helper()
	for kind := range shared {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, dbtest.Private(t, kind, opts...))
		})
	}
}

// must fails t on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused fails t unless nothing listens where db is.
func refused(t *testing.T, db dbtest.Database) {
	t.Helper()
	dialer := net.Dialer{}
	for network, address := range map[string]string{
		"tcp": net.JoinHostPort(db.Host, strconv.Itoa(db.Port)), "unix": db.Socket,
	} {
		c, err := dialer.DialContext(t.Context(), network, address)
		if err == nil {
			_ = c.Close()
			t.Errorf("%s %s still takes connections", network, address)
		}
	}
}

func TestKilledServerComesBackWithPortAndData(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *dbtest.PrivateServer) {
		db := s.Database(t)
		query(t, db, "CREATE TABLE t (n int)")
		query(t, db, "INSERT INTO t VALUES (42)")
		for range 2 {
			must(t, s.Kill())
			refused(t, db)
			must(t, s.Kill()) // does nothing to a server that is down
			must(t, s.Restart(t.Context()))
			if got := query(t, db, "SELECT n FROM t"); got != "42" {
				t.Errorf("after the crash the table holds %q", got)
			}
		}
	})
}

func TestStoppedServerComesBackWithPortAndData(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *dbtest.PrivateServer) {
		db := s.Database(t)
		query(t, db, "CREATE TABLE t (n int)")
		must(t, s.Restart(t.Context())) // of a server that runs
		query(t, db, "INSERT INTO t VALUES (42)")
		must(t, s.Pause())
		must(t, s.Stop()) // of one that is paused
		refused(t, db)
		must(t, s.Restart(t.Context()))
		if got := query(t, db, "SELECT n FROM t"); got != "42" {
			t.Errorf("after the stop the table holds %q", got)
		}
	})
}

func TestKillEndsSessionsAtWork(t *testing.T) {
	t.Parallel()
	sleep := map[dbtest.Kind][2]string{
		dbtest.KindPostgres: {
			"SELECT pg_sleep(3600)",
			"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
		},
		dbtest.KindMariaDB: {
			"SELECT sleep(3600)",
			"SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep'",
		},
	}
	each(t, func(t *testing.T, s *dbtest.PrivateServer) {
		db := s.Database(t)
		ended := make(chan error, 1)
		go func() {
			_, err := db.Query(t.Context(), sleep[s.Kind()][0])
			ended <- err
		}()
		for query(t, db, sleep[s.Kind()][1]) != "1" {
			if t.Context().Err() != nil {
				t.Fatal(t.Context().Err())
			}
		}
		must(t, s.Kill())
		if err := <-ended; err == nil {
			t.Error("the session outlived its server")
		}
	})
}

func TestPausedServerAnswersNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *dbtest.PrivateServer) {
		db := s.Database(t)
		query(t, db, "SELECT 1")
		must(t, s.Pause())
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := db.Query(ctx, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a query of a paused server returned %v", err)
		}
		must(t, s.Resume())
		query(t, db, "SELECT 1")
	})
}

func TestConfigReachesServer(t *testing.T) {
	t.Parallel()
	rows := map[dbtest.Kind][4]string{
		dbtest.KindPostgres: {"synchronous_commit", "on", "off", "SHOW synchronous_commit"},
		dbtest.KindMariaDB:  {"innodb-lock-wait-timeout", "3", "7", "SELECT @@innodb_lock_wait_timeout"},
	}
	for kind, row := range rows {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := dbtest.Private(t, kind, dbtest.Config(row[0], row[1]), dbtest.Config(row[0], row[2]))
			if got := query(t, s.Database(t), row[3]); got != row[2] {
				t.Errorf("%s = %q, want %q", row[0], got, row[2])
			}
		})
	}
}

func TestNothingIsLeftAfterPrivateServer(t *testing.T) {
	t.Parallel()
	ends := map[string]func(s *dbtest.PrivateServer) error{
		"running": func(*dbtest.PrivateServer) error { return nil },
		"paused":  func(s *dbtest.PrivateServer) error { return s.Pause() },
		"killed":  func(s *dbtest.PrivateServer) error { return s.Kill() },
	}
	for state, end := range ends {
		for kind := range shared {
			t.Run(fmt.Sprintf("%s %s", state, kind), func(t *testing.T) {
				t.Parallel()
				var db dbtest.Database
				t.Run("owner", func(t *testing.T) {
					s := dbtest.Private(t, kind)
					db = s.Database(t)
					must(t, end(s))
				})
				refused(t, db)
				if _, err := os.Stat(db.Socket); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s: %v", db.Socket, err)
				}
			})
		}
	}
}
