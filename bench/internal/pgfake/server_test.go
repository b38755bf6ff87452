package pgfake_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/bench/internal/pgfake"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var people = pgfake.Statement{
	SQL: "SELECT id, name FROM people WHERE id < $1", Params: []uint32{pgtype.Int8OID},
	Columns: []pgfake.Column{{Name: "id", OID: pgtype.Int8OID}, {Name: "name", OID: pgtype.TextOID}},
	Rows:    [][]any{{int64(1), "Ada"}, {int64(2), "Grace"}},
	Tag:     "SELECT 2",
}

var rename = pgfake.Statement{
	SQL: "UPDATE people SET name = $1", Params: []uint32{pgtype.TextOID}, Tag: "UPDATE 2",
}

var (
	copied = pgfake.Statement{SQL: `copy "people" ( "name" ) from stdin binary;`, Tag: "COPY 3"}
	shape  = pgfake.Statement{
		SQL: `select "name" from "people"`, Columns: []pgfake.Column{{Name: "name", OID: pgtype.TextOID}}, Tag: "SELECT 0",
	}
)

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	s, err := pgfake.New(people, rename, copied, shape)
	if err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig("postgres://u@fake/d?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = s.Dial
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

type person struct {
	ID   int64
	Name string
}

func TestQueriesAreAnsweredAsByAServer(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for range 3 { // prepared by the first
		rows, _ := conn.Query(t.Context(), people.SQL, 10)
		got, err := pgx.CollectRows(rows, pgx.RowToStructByName[person])
		if err != nil || len(got) != 2 || got[1] != (person{2, "Grace"}) {
			t.Errorf("rows %v, error %v", got, err)
		}
		tag, err := conn.Exec(t.Context(), rename.SQL, "x")
		if err != nil || tag.String() != rename.Tag {
			t.Errorf("tag %q, error %v", tag, err)
		}
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestABatchIsOneConversation(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	batch := &pgx.Batch{}
	for range 100 {
		batch.Queue(people.SQL, 10)
		batch.Queue(rename.SQL, "x")
	}
	results := conn.SendBatch(t.Context(), batch)
	for range 100 {
		rows, _ := results.Query()
		if got, err := pgx.CollectRows(rows, pgx.RowToStructByName[person]); err != nil || len(got) != 2 {
			t.Fatalf("rows %v, error %v", got, err)
		}
		if _, err := results.Exec(); err != nil {
			t.Fatal(err)
		}
	}
	if err := results.Close(); err != nil {
		t.Error(err)
	}
}

func TestTransactionsAreFollowed(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status := conn.PgConn().TxStatus(); status != 'T' {
		t.Errorf("status %c inside", status)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := conn.PgConn().TxStatus(); status != 'I' {
		t.Errorf("status %c afterwards", status)
	}
}

func TestCopyTakesWhatIsSent(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for range 2 {
		n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"people"}, []string{"name"},
			pgx.CopyFromRows([][]any{{"a"}, {"b"}, {strings.Repeat("c", 200_000)}}))
		if err != nil || n != 3 {
			t.Fatalf("%d rows, error %v", n, err)
		}
	}
	broken := errors.New("broken")
	_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"people"}, []string{"name"},
		pgx.CopyFromFunc(func() ([]any, error) { return nil, broken }))
	if err == nil {
		t.Error("a copy whose source fails has succeeded")
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAnUnknownStatementIsAnError(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, args := range [][]any{nil, {1}} {
		_, err := conn.Exec(t.Context(), "DROP TABLE people", args...)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || !strings.Contains(pgErr.Message, "DROP TABLE people") {
			t.Errorf("error %v, want the statement", err)
		}
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestADeadlineEndsAWait(t *testing.T) {
	t.Parallel()
	s, err := pgfake.New()
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err = c.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); !ok || !timeout.Timeout() {
		t.Errorf("error %v, want a timeout", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStatementAllocatesNothingHere(t *testing.T) {
	s, err := pgfake.New(people)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := make([]byte, 4096)
	exchange := func(request []byte) {
		if _, err := c.Write(request); err != nil {
			t.Error(err)
		}
		if n, err := c.Read(in); err != nil || n == 0 {
			t.Error(err)
		}
	}
	exchange([]byte{0, 0, 0, 8, 0, 3, 0, 0})
	text := "s\x00" + people.SQL + "\x00\x00\x00"
	exchange(append([]byte{'P', 0, 0, 0, byte(4 + len(text))}, text...))
	request := []byte("B\x00\x00\x00\x0d\x00s\x00\x00\x00\x00\x00\x00\x00D\x00\x00\x00\x06P\x00E\x00\x00\x00\x09\x00\x00\x00\x00\x00S\x00\x00\x00\x04")
	if n := alloctest.PerRun(100, func() { exchange(request) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
