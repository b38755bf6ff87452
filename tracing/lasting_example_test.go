package tracing_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // database/sql's driver of PostgreSQL
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/pgscript"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// shop starts the database of an example, which answers every statement alike.
func shop() (url string, stop func()) {
	server, stop, err := pgscript.Launch()
	if err != nil {
		panic(err)
	}
	return server.URL(), stop
}

func ExampleWithTransactionSpans() {
	provider := &recorder{} // the SDK's, in a service
	tracer, err := tracing.New(tracing.WithTracerProvider(provider), tracing.WithTransactionSpans())
	if err != nil {
		fmt.Println(err)
		return
	}
	url, stop := shop()
	defer stop()
	db, err := sqldb.Open("pgx", url, sp.NewChain(tracer))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	ctx, request := provider.Tracer("service").Start(context.Background(), "GET /jobs")
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tx.ExecContext(ctx, "CREATE TABLE jobs (id INTEGER)")
	fmt.Println(err, tx.Commit())
	request.End()

	spans := make(map[trace.SpanID]string)
	for _, s := range provider.all() {
		spans[s.context.SpanID()] = s.name
		fmt.Printf("%s < %s\n", spans[s.parent], s.name)
	}
	// Output:
	// <nil> <nil>
	//  < GET /jobs
	// GET /jobs < connect script
	// GET /jobs < transaction
	// transaction < BEGIN script
	// transaction < CREATE TABLE jobs
	// transaction < COMMIT script
}

// told is a handler of logs that tells when it has written a record.
type told chan string

func (told) Enabled(context.Context, slog.Level) bool { return true }
func (t told) WithAttrs([]slog.Attr) slog.Handler     { return t }
func (t told) WithGroup(string) slog.Handler          { return t }

func (t told) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "db.query.summary" {
			line += ": " + a.Value.String()
		}
		return true
	})
	t <- line
	return nil
}

func ExampleWithLeakDetection() {
	records := make(told, 2)
	tracer, err := tracing.New(tracing.WithoutSpans(), tracing.WithLeakDetection(time.Millisecond, slog.New(records)))
	if err != nil {
		fmt.Println(err)
		return
	}
	url, stop := shop()
	defer stop()
	db, err := sqldb.Open("pgx", url, sp.NewChain(tracer))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	rows, err := db.Query("SELECT name FROM users")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-records)
	fmt.Println(rows.Close())
	fmt.Println(<-records)
	// Output:
	// WARN result is still open: SELECT users
	// <nil>
	// INFO overdue result closed: SELECT users
}
