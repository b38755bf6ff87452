package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// User has addresses.
type User struct {
	ID        int64
	Name      string
	Age       int
	Addresses []*Address `orm:"rel:has-many,cascade:save+merge+delete+orphan"`
}

// Address is a user's.
type Address struct {
	ID     int64
	UserID int64 `orm:",references:user"`
	City   string
	User   *User `orm:"rel:belongs-to"`
}

func main() {
	url := flag.String("url", "sqlite::memory:", "the database, which is to be empty")
	flag.Parse()
	if err := run(context.Background(), *url, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run runs the examples on a database, one after the other, and prints to w what
// they found.
func run(ctx context.Context, url string, w io.Writer) (err error) {
	eng, err := engine.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Dispose()) }()
	if err := orm.CreateAll(ctx, eng, (*User)(nil), (*Address)(nil)); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, orm.DropAll(context.WithoutCancel(ctx), eng, (*User)(nil), (*Address)(nil)))
	}()
	maker, err := proxy.NewMaker(eng)
	if err != nil {
		return err
	}
	e := &examples{maker: maker, w: w}
	for i, example := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"a blocking session", e.blocking},
		{"an async session", e.awaited},
		{"one function for both", e.both},
		{"select, with conditions that the compiler checks", e.selects},
		{"async for", e.streams},
		{"run_sync", e.runSync},
		{"query, the older style", e.query},
	} {
		e.printf("%d. %s\n", i+1, example.name)
		if err := example.do(ctx); err != nil {
			return fmt.Errorf("sqlalchemy: %s: %w", example.name, err)
		}
	}
	return e.failed
}

// examples are the seven of them.
type examples struct {
	maker  *proxy.Maker
	w      io.Writer
	failed error // the first of writing
}

func (e *examples) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(e.w, format, args...); err != nil && e.failed == nil {
		e.failed = err
	}
}
