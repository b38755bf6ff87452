package integration_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "github.com/mattn/go-sqlite3"
	_ "github.com/uptrace/bun/driver/pgdriver"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// A way in, by which a service hands over a data source name with a password.
type wayIn struct {
	name string
	dsn  func(password string) string
	open func(ctx context.Context, dsn string, chain sp.Chain) (sp.Target, error)
}

// oddPasswords is how many passwords each way gets: 4,000 in all, under make
// verify 20,000 each.
func oddPasswords() int {
	if os.Getenv("SESSIONPROXY_VERIFY") != "" {
		return 20_000
	}
	return 200
}

// alphabet is what passwords are made of, besides letters: whatever a parser
// may take for an end.
const alphabet = "/?#@:&=% '\"\\,;()[]{}<>|!$*+-_.~^`\x00\t\n\r"

// oddPassword returns two passwords that differ in their letters alone. None of
// the letters are hexadecimal digits, as %41 is another character than %zz.
func oddPassword(r *rand.Rand) (a, b string) {
	const first, second = "ghijklmnopqrstuv", "vutsrqponmlkjihg"
	for range 1 + r.IntN(12) {
		if r.IntN(3) == 0 {
			c := string(alphabet[r.IntN(len(alphabet))])
			a, b = a+c, b+c
			continue
		}
		n := r.IntN(len(first))
		a, b = a+string(first[n]), b+string(second[n])
	}
	return a, b
}

// TestNothingThatIsSeenDependsOnThePassword opens databases by names that differ
// in letters of the password alone, with nothing listening, and compares what a
// service sees: errors with all they wrap, the target, and the spans.
func TestNothingThatIsSeenDependsOnThePassword(t *testing.T) {
	t.Parallel()
	port := closedPort(t)
	at := "127.0.0.1:" + strconv.Itoa(port)
	sqlOpen := func(driver string) func(context.Context, string, sp.Chain) (sp.Target, error) {
		return func(ctx context.Context, dsn string, chain sp.Chain) (sp.Target, error) {
			db, err := sqldb.Open(driver, dsn, chain)
			if err != nil {
				return sqldb.ParseTarget(driver, dsn), err
			}
			defer db.Close()
			return must(sqldb.Wrap(db)).Target(), db.PingContext(ctx)
		}
	}
	pool := func(ctx context.Context, dsn string, chain sp.Chain) (sp.Target, error) {
		p, err := pgxdb.NewPool(ctx, dsn, chain)
		if err != nil {
			return sp.Target{}, err
		}
		defer p.Close()
		return p.Target(), p.Ping(ctx)
	}
	open := func(ctx context.Context, url string, chain sp.Chain) (sp.Target, error) {
		eng, err := engine.Open(ctx, url, engine.WithChain(chain))
		if err != nil {
			return sp.Target{}, err
		}
		return *eng.Target(), eng.Dispose()
	}
	inURL := func(scheme string) func(string) string {
		return func(pw string) string { return scheme + "://app:" + pw + "@" + at + "/shop" }
	}
	inParam := func(pw string) string {
		return "postgres://" + at + "/shop?user=app&password=" + pw + "&sslmode=disable"
	}
	words := func(pw string) string {
		return fmt.Sprintf("host=127.0.0.1 port=%d user=app password=%s dbname=shop sslmode=disable", port, pw)
	}
	quoted := func(pw string) string {
		return fmt.Sprintf("host=127.0.0.1 port=%d password='%s' user=app dbname=shop sslmode=disable", port, pw)
	}
	ways := []wayIn{
		{"pgx URL", inURL("postgres"), sqlOpen("pgx")},
		{"pgx parameter", inParam, sqlOpen("pgx")},
		{"pgx words", words, sqlOpen("pgx")},
		{"pgx quoted", quoted, sqlOpen("pgx")},
		{"pq URL", inURL("postgresql"), sqlOpen("postgres")},
		{"pq parameter", inParam, sqlOpen("postgres")},
		{"pq words", words, sqlOpen("postgres")},
		{"pq quoted", quoted, sqlOpen("postgres")},
		{"bun URL", inURL("postgres"), sqlOpen("pg")},
		{"bun parameter", func(pw string) string { return "postgres://app@" + at + "/shop?sslmode=disable&token=" + pw }, sqlOpen("pg")},
		{"bun socket", func(pw string) string { return "unix://app:" + pw + "@shop/nowhere/.s.PGSQL.5432" }, sqlOpen("pg")},
		{"mysql", func(pw string) string { return "app:" + pw + "@tcp(" + at + ")/shop" }, sqlOpen("mysql")},
		{"mysql without a slash", func(pw string) string { return "app:" + pw + "@tcp(" + at + ")" }, sqlOpen("mysql")},
		{"pool URL", inURL("postgres"), pool},
		{"pool words", words, pool},
		{"pool quoted", quoted, pool},
		{"engine postgres", inURL("postgres"), open},
		{"engine mysql", inURL("mysql"), open},
		{"engine parameter", inParam, open},
		{"sqlite key", func(pw string) string { return "file:/nowhere/shop.db?_pragma=key('" + pw + "')" }, sqlOpen("sqlite")},
		{"sqlite parameter", func(pw string) string { return "file:/nowhere/shop.db?mode=ro&_auth_pass=" + pw }, sqlOpen("sqlite")},
		{"sqlite user", func(pw string) string { return "file://app:" + pw + "@localhost/nowhere/shop.db" }, sqlOpen("sqlite")},
		{"mattn key", func(pw string) string { return "file:/nowhere/shop.db?_pragma_key=" + pw }, sqlOpen("sqlite3")},
		{"mattn user", func(pw string) string { return "file:/nowhere/shop.db?_auth&_auth_user=app&_auth_pass=" + pw }, sqlOpen("sqlite3")},
		{"engine sqlite", func(pw string) string { return "sqlite:////nowhere/shop.db?_auth_pass=" + pw }, open},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(len(way.name))))
			refused, dialled := 0, 0
			for range oddPasswords() {
				a, b := oddPassword(r)
				one, connected := seen(t, way, a)
				other, _ := seen(t, way, b)
				if one != other {
					t.Fatalf("passwords %q and %q:\n%s\n%s", a, b, one, other)
				}
				if connected {
					dialled++
				} else {
					refused++
				}
			}
			t.Attr("name", way.name)
			t.Attr("passwords", strconv.Itoa(oddPasswords()))
			if dialled == 0 || refused == 0 {
				t.Logf("%d were dialled, %d refused", dialled, refused)
			}
		})
	}
}

// seen returns what a service sees of opening a database that nobody serves,
// and whether it was dialled.
func seen(t *testing.T, way wayIn, password string) (text string, dialled bool) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	tr, err := tracing.New(tracing.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
	if err != nil {
		t.Fatal(err)
	}
	target, err := way.open(t.Context(), way.dsn(password), sp.NewChain(tr))
	if err == nil {
		t.Fatalf("%q was opened, where nobody listens", password)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", target.Named())
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, "%s\n", e)
	}
	for _, s := range spans.GetSpans() {
		fmt.Fprintf(&b, "span %s %v %v", s.Name, s.Status, attribute.NewSet(s.Attributes...))
		for _, e := range s.Events {
			fmt.Fprintf(&b, " %s %v", e.Name, e.Attributes)
		}
		dialled = true
	}
	return b.String(), dialled
}

// closedPort returns a port that nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
