package sqldb_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // a driver of PostgreSQL
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	_ "modernc.org/sqlite" // the embedded database
)

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
	db, err := sqldb.Open("sqlite", ":memory:", sp.NewChain(logCalls))
	must(err)
	defer db.Close()
	db.SetMaxOpenConns(1) // an in-memory database belongs to its connection

	_, err = db.Exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
	must(err)
	_, err = db.Exec("INSERT INTO users (name) VALUES (?)", "Ada")
	must(err)
	var name string
	must(db.QueryRow("SELECT name FROM users").Scan(&name))
	fmt.Println("hello,", name)
	// Output:
	// exec CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)
	// exec INSERT INTO users (name) VALUES (?)
	// query SELECT name FROM users
	// hello, Ada
}

// A unit of work is one call, which a retry in the chain may perform again as
// a whole.
func ExampleDB_RunInTx() {
	db, err := sqldb.Open("sqlite", ":memory:", sp.NewChain(logCalls))
	must(err)
	db.SetMaxOpenConns(1)
	h, err := sqldb.Wrap(db)
	must(err)
	defer h.Close()

	must(h.RunInTx(context.Background(), nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)")
		return err
	}))
	// Output:
	// BEGIN
	// exec CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)
	// COMMIT
	// transaction
}

func ExampleParseTarget() {
	t := sqldb.ParseTarget("pgx", "postgres://app:secret@db.example.com/shop")
	fmt.Println(t.System, t.Host, t.Port, t.Namespace)
	// Output: postgresql db.example.com 5432 shop
}
