package mysqlscript_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/mysqlscript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, s *mysqlscript.Server, params ...string) *sql.DB {
	t.Helper()
	cfg, err := mysql.ParseDSN(s.DSN(params...))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = &mysql.NopLogger{}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestItAnswersTextAndPreparedStatements(t *testing.T) {
	t.Parallel()
	s := mysqlscript.Start(t, func(_ *mysqlscript.Session, text string) mysqlscript.Reply {
		if text == "SELECT a, b FROM t" || text == "SELECT a, b FROM t WHERE c = ?" {
			return mysqlscript.Reply{Columns: []string{"a", "b"}, Rows: [][]string{{"1", "x"}, {"2", "y"}}}
		}
		return mysqlscript.Reply{Affected: 3, InsertID: 700}
	})
	for _, interpolate := range []string{"interpolateParams=false", "interpolateParams=true"} {
		db := open(t, s, interpolate)
		if err := db.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]any{nil, {"x"}} {
			query := "SELECT a, b FROM t"
			if args != nil && interpolate == "interpolateParams=false" {
				query += " WHERE c = ?"
			} else {
				args = nil
			}
			rows, err := db.QueryContext(t.Context(), query, args...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for rows.Next() {
				var a int
				var b string
				if err := rows.Scan(&a, &b); err != nil {
					t.Fatal(err)
				}
				got = append(got, b)
			}
			if err := rows.Err(); err != nil || len(got) != 2 || got[1] != "y" {
				t.Fatal(got, err)
			}
			r, err := db.ExecContext(t.Context(), "UPDATE t SET a = ?", 5)
			if err != nil {
				t.Fatal(err)
			}
			affected, _ := r.RowsAffected()
			id, _ := r.LastInsertId()
			if affected != 3 || id != 700 {
				t.Errorf("%d rows affected, id %d", affected, id)
			}
		}
	}
	if n := s.Received("UPDATE"); n != 4 || s.Logins() != 2 {
		t.Errorf("%d updates on %d connections", n, s.Logins())
	}
}

func TestErrorsHaveNumberAndState(t *testing.T) {
	t.Parallel()
	s := mysqlscript.Start(t, func(*mysqlscript.Session, string) mysqlscript.Reply {
		return mysqlscript.Reply{Code: 1213, State: "40001", Message: "Deadlock found"}
	})
	_, err := open(t, s).ExecContext(t.Context(), "DELETE FROM t")
	var got *mysql.MySQLError
	if !errors.As(err, &got) || got.Number != 1213 || string(got.SQLState[:]) != "40001" || got.Message != "Deadlock found" {
		t.Errorf("%#v", err)
	}
	s.Refuse(mysqlscript.Reply{Code: 1040, State: "08004", Message: "Too many connections"})
	if err := open(t, s).PingContext(t.Context()); !errors.As(err, &got) || got.Number != 1040 {
		t.Errorf("%v", err)
	}
	s.Refuse(mysqlscript.Reply{HangUp: true})
	if err := open(t, s).PingContext(t.Context()); err == nil {
		t.Error("the login was not refused")
	}
}

func TestItHangsUpWhenTold(t *testing.T) {
	t.Parallel()
	for _, reset := range []bool{false, true} {
		s := mysqlscript.Start(t, func(_ *mysqlscript.Session, text string) mysqlscript.Reply {
			if text == "SELECT 1" {
				return mysqlscript.Reply{Columns: []string{"1"}, Rows: [][]string{{"1"}, {"2"}}, HangUp: true, Reset: reset}
			}
			return mysqlscript.Reply{HangUp: true, Reset: reset}
		})
		db := open(t, s)
		if _, err := db.ExecContext(t.Context(), "UPDATE t SET a = 1"); !errors.Is(err, mysql.ErrInvalidConn) {
			t.Errorf("%v", err)
		}
		rows, err := db.QueryContext(t.Context(), "SELECT 1")
		if err != nil {
			if reset {
				continue // an RST may overtake the row
			}
			t.Fatal(err)
		}
		for rows.Next() {
		}
		if rows.Err() == nil {
			t.Error("rows of a dead connection came to an end")
		}
		_ = rows.Close()
	}
}

func TestTheStatusIsTheSessions(t *testing.T) {
	t.Parallel()
	seen := make(chan uint32, 1)
	s := mysqlscript.Start(t, func(s *mysqlscript.Session, _ string) mysqlscript.Reply {
		s.InTransaction, s.NoAutocommit = true, true
		seen <- s.ID
		return mysqlscript.Reply{}
	}, mysqlscript.WithVersion("10.11.6-MariaDB"))
	db := open(t, s)
	if _, err := db.ExecContext(t.Context(), "BEGIN"); err != nil || <-seen != 1 {
		t.Fatal(err)
	}
	s.HangUp()
	if err := db.PingContext(t.Context()); err != nil {
		t.Error("the driver did not see that the connection had ended:", err)
	}
	if s.Logins() != 2 {
		t.Errorf("%d logins", s.Logins())
	}
}
