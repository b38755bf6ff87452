package pgscript_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/pgscript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, s *pgscript.Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestItAnswersBothProtocols(t *testing.T) {
	t.Parallel()
	s := pgscript.Start(t)
	conn := connect(t, s)
	for _, args := range [][]any{nil, {"x"}} {
		text := "UPDATE t SET a = 1"
		if args != nil {
			text = "UPDATE t SET a = $1"
		}
		tag, err := conn.Exec(t.Context(), text, args...)
		if err != nil || tag.RowsAffected() != 1 {
			t.Fatal(tag, err)
		}
	}
	rows, err := conn.Query(t.Context(), "SELECT n FROM t WHERE a = $1", "x")
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if err := pgx.BeginFunc(t.Context(), conn, func(pgx.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if s.Received("UPDATE") != 2 || s.Received("begin") != 1 || s.Received("commit") != 1 || s.Logins() != 1 {
		t.Errorf("received %d updates, %d begins, %d commits on %d connections",
			s.Received("UPDATE"), s.Received("begin"), s.Received("commit"), s.Logins())
	}
}

func TestItDiesWhenTold(t *testing.T) {
	t.Parallel()
	for _, reset := range []bool{false, true} {
		for _, moment := range []pgscript.Moment{pgscript.OnParse, pgscript.OnQuery, pgscript.InRows, pgscript.AfterAnswer} {
			t.Run(string(moment), func(t *testing.T) {
				t.Parallel()
				s := pgscript.Start(t)
				conn := connect(t, s)
				s.DieAt(moment, "SELECT", reset)
				rows, err := conn.Query(t.Context(), "SELECT n FROM t WHERE a = $1", "x")
				if err == nil {
					_, err = pgx.CollectRows(rows, pgx.RowTo[string])
				}
				if moment == pgscript.AfterAnswer {
					if err != nil && !reset { // an RST may overtake the answer
						t.Fatal(err)
					}
					err = conn.Ping(t.Context())
				}
				if err == nil {
					t.Error("the connection lives")
				}
				want := 1
				if moment == pgscript.OnParse {
					want = 0
				}
				if n := s.Received("SELECT"); n != want {
					t.Errorf("received %d times, want %d", n, want)
				}
			})
		}
	}
	s := pgscript.Start(t)
	s.DieAt(pgscript.OnConnect, "", false)
	if conn, err := pgx.Connect(t.Context(), s.URL()); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the connection lives")
	}
	connect(t, s) // it does so once
}

func TestAHandlerAnswers(t *testing.T) {
	t.Parallel()
	s := pgscript.Start(t)
	s.Handle(func(s *pgscript.Session, text string) pgscript.Reply {
		switch {
		case text == "begin":
			s.Status = 'T'
		case strings.HasPrefix(text, "DELETE"):
			s.Status = 'E'
			return pgscript.Reply{Code: "40001", Message: "could not serialize"}
		case strings.HasPrefix(text, "SELECT"):
			return pgscript.Reply{Rows: []string{"a"}}
		case strings.HasPrefix(text, "UPDATE"):
			return pgscript.Reply{Code: "57P01", Severity: "FATAL"}
		}
		return pgscript.Reply{}
	})
	for _, args := range [][]any{nil, {"x"}} {
		conn := connect(t, s)
		where := ""
		if args != nil {
			where = " WHERE a = $1"
		}
		if _, err := conn.Exec(t.Context(), "begin"); err != nil || conn.PgConn().TxStatus() != 'T' {
			t.Fatal(err)
		}
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT n FROM t"+where, args...).Scan(&got); err != nil || got != "a" {
			t.Fatal(got, err)
		}
		var failed *pgconn.PgError
		if _, err := conn.Exec(t.Context(), "DELETE FROM t"+where, args...); !errors.As(err, &failed) || failed.Code != "40001" {
			t.Fatal(err)
		}
		if conn.IsClosed() || conn.PgConn().TxStatus() != 'E' {
			t.Fatal("not in a failed transaction")
		}
		if _, err := conn.Exec(t.Context(), "UPDATE t SET a = 1"+where, args...); !errors.As(err, &failed) || failed.Code != "57P01" || !conn.IsClosed() {
			t.Fatal(err)
		}
	}
}
