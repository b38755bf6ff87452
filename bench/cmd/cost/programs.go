package main

import (
	"fmt"
	"slices"
	"strings"
)

const (
	ours  = "github.com/sessionproxy/sessionproxy"
	pgx   = "github.com/jackc/pgx/v5"
	mysql = "github.com/go-sql-driver/mysql"
)

// A program asks a database for one number.
type program struct {
	name    string
	modules []string // that its author requires
	imports []string
	open    string // gives db
	query   string
}

// programs are what is compared.
var programs = []program{
	{
		name: "pgx", modules: []string{pgx}, imports: []string{pgx + "/pgxpool"}, query: "QueryRow",
		open: `db, err := pgxpool.New(ctx, os.Args[1])
	check(err)`,
	},
	{
		name: "pgx, otelpgx", modules: []string{pgx, "github.com/exaring/otelpgx"}, imports: []string{pgx + "/pgxpool", "github.com/exaring/otelpgx"}, query: "QueryRow",
		open: `config, err := pgxpool.ParseConfig(os.Args[1])
	check(err)
	config.ConnConfig.Tracer = otelpgx.NewTracer()
	db, err := pgxpool.NewWithConfig(ctx, config)
	check(err)`,
	},
	{
		name: "pgx, sessionproxy, tracing", modules: []string{pgx, ours}, imports: []string{ours, ours + "/driver/pgxdb", ours + "/tracing"}, query: "QueryRow",
		open: tracingOnly + `
	db, err := pgxdb.NewPool(ctx, os.Args[1], sessionproxy.NewChain(t))
	check(err)`,
	},
	{
		name: "pgx, sessionproxy, recommended chain", modules: []string{pgx, ours}, imports: []string{ours + "/driver/pgxdb", ours + "/preset"}, query: "QueryRow",
		open: recommended + `
	db, err := pgxdb.NewPool(ctx, os.Args[1], p.Chain())
	check(err)`,
	},
	{
		name: "database/sql", modules: []string{mysql}, imports: []string{"database/sql", "_ " + mysql}, query: "QueryRowContext",
		open: `db, err := sql.Open("mysql", os.Args[1])
	check(err)`,
	},
	{
		name: "database/sql, otelsql", modules: []string{mysql, "github.com/XSAM/otelsql"}, imports: []string{"_ " + mysql, "github.com/XSAM/otelsql"}, query: "QueryRowContext",
		open: `db, err := otelsql.Open("mysql", os.Args[1])
	check(err)`,
	},
	{
		name: "database/sql, sessionproxy, tracing", modules: []string{mysql, ours}, imports: []string{"_ " + mysql, ours, ours + "/driver/sqldb", ours + "/tracing"}, query: "QueryRowContext",
		open: tracingOnly + `
	db, err := sqldb.Open("mysql", os.Args[1], sessionproxy.NewChain(t))
	check(err)`,
	},
	{
		name: "database/sql, sessionproxy, recommended chain", modules: []string{mysql, ours}, imports: []string{"_ " + mysql, ours + "/driver/sqldb", ours + "/preset"}, query: "QueryRowContext",
		open: recommended + `
	db, err := sqldb.Open("mysql", os.Args[1], p.Chain())
	check(err)`,
	},
}

const (
	tracingOnly = `t, err := tracing.New()
	check(err)`
	recommended = `p, err := preset.New()
	check(err)`
)

// ours reports whether the program uses this library.
func (p program) ours() bool { return slices.Contains(p.modules, ours) }

// dir is the name of its folder.
func (p program) dir() string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, p.name)
}

func (p program) text() string {
	var imports strings.Builder
	for _, path := range append([]string{"context", "fmt", "os"}, p.imports...) {
		blank, name, _ := strings.Cut(path, " ")
		if name == "" {
			blank, name = "", path
		}
		fmt.Fprintf(&imports, "\t%s %q\n", blank, name)
	}
	return fmt.Sprintf(`package main

import (
%s)

func main() {
	ctx := context.Background()
	%s
	defer db.Close()
	var n int
	check(db.%s(ctx, "SELECT 1").Scan(&n))
	fmt.Println(n)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
`, imports.String(), p.open, p.query)
}
