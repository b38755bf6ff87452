package sqldb_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/pgscript"
)

// shop starts the database of an example, in which there is one user.
func shop() (url string, stop func()) {
	server, stop, err := pgscript.Launch()
	must(err)
	server.Handle(func(s *pgscript.Session, text string) pgscript.Reply {
		switch {
		case strings.HasPrefix(text, "SELECT"):
			return pgscript.Reply{Rows: []string{"Ada"}, Tag: "SELECT 1"}
		case strings.EqualFold(text, "BEGIN"):
			s.Status = 'T'
		case strings.EqualFold(text, "COMMIT"):
			s.Status = 'I'
		}
		return pgscript.Reply{}
	})
	return server.URL(), stop
}

// logCalls stands for the interceptors of a real chain: tracing, retry, breaker.
var logCalls = sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		err := next(ctx, call)
		if call.Op != sp.OpConnect {
			fmt.Println(strings.TrimSpace(call.Op.String() + " " + call.Text))
		}
		return err
	}
})

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A database opened through a chain is a plain *sql.DB.
func ExampleOpen() {
	url, stop := shop()
	defer stop()
	db, err := sqldb.Open("pgx", url, sp.NewChain(logCalls))
	must(err)
	defer db.Close()

	_, err = db.Exec("CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT)")
	must(err)
	_, err = db.Exec("INSERT INTO users (name) VALUES ($1)", "Ada")
	must(err)
	var name string
	must(db.QueryRow("SELECT name FROM users").Scan(&name))
	fmt.Println("hello,", name)
	// Output:
	// exec CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT)
	// exec INSERT INTO users (name) VALUES ($1)
	// query SELECT name FROM users
	// hello, Ada
}

// A unit of work is one call, which a retry in the chain may perform again as
// a whole.
func ExampleDB_RunInTx() {
	url, stop := shop()
	defer stop()
	db, err := sqldb.Open("pgx", url, sp.NewChain(logCalls))
	must(err)
	h, err := sqldb.Wrap(db)
	must(err)
	defer h.Close()

	must(h.RunInTx(context.Background(), nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE accounts (id SERIAL PRIMARY KEY, balance INTEGER)")
		return err
	}))
	// Output:
	// BEGIN
	// exec CREATE TABLE accounts (id SERIAL PRIMARY KEY, balance INTEGER)
	// COMMIT
	// transaction
}

func ExampleParseTarget() {
	t := sqldb.ParseTarget("pgx", "postgres://app:secret@db.example.com/shop")
	fmt.Println(t.System, t.Host, t.Port, t.Namespace)
	// Output: postgresql db.example.com 5432 shop
}
