// Command nethttp is a service on database/sql: requests with a deadline, units
// of work that are replayed, spans under those of the requests.
//
//	go run ./nethttp                 # serves on 127.0.0.1:8080
//	curl -X POST localhost:8080/visits/home; curl localhost:8080/visits/home
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	"go.opentelemetry.io/otel/trace"
	_ "modernc.org/sqlite"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func main() {
	file := flag.String("file", "visits.db", "the SQLite database")
	listen := flag.String("listen", "127.0.0.1:8080", "where to serve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *file, *listen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file, listen string) (err error) {
	s, err := open(ctx, file, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	server := &http.Server{Addr: listen, Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// service counts visits.
type service struct{ db *sqldb.DB }

// open opens the database behind a pipeline. A nil provider is the global one.
func open(ctx context.Context, file string, provider trace.TracerProvider) (*service, error) {
	var opts []tracing.Option
	if provider != nil {
		opts = append(opts, tracing.WithTracerProvider(provider))
	}
	traces, err := tracing.New(opts...)
	if err != nil {
		return nil, err
	}
	again, err := retry.New()
	if err != nil {
		return nil, err
	}
	brk, err := breaker.New()
	if err != nil {
		return nil, err
	}
	slow, err := timeout.New(2 * time.Second)
	if err != nil {
		return nil, err
	}
	std, err := sqldb.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(1000)&_txlock=immediate", sessionproxy.NewChain(traces, slow, again, brk))
	if err != nil {
		return nil, err
	}
	db, err := sqldb.Wrap(std)
	if err != nil {
		return nil, errors.Join(err, std.Close())
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS visits (page TEXT PRIMARY KEY, n INTEGER NOT NULL)"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &service{db}, nil
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /visits/{page}", s.visit)
	mux.HandleFunc("GET /visits/{page}", s.show)
	return http.TimeoutHandler(mux, 3*time.Second, "too late")
}

// visit counts a visit in a unit of work, which the retry replays as a whole.
func (s *service) visit(w http.ResponseWriter, r *http.Request) {
	page := r.PathValue("page")
	err := s.db.RunInTx(r.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO visits VALUES (?, 1) ON CONFLICT (page) DO UPDATE SET n = n + 1", page)
		return err
	})
	if err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *service) show(w http.ResponseWriter, r *http.Request) {
	var n int
	err := s.db.QueryRowContext(sessionproxy.WithReadOnly(r.Context()), "SELECT n FROM visits WHERE page = ?", r.PathValue("page")).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		refuse(w, err)
		return
	}
	if _, err := fmt.Fprintln(w, n); err != nil {
		return // the client is gone
	}
}

// refuse says what an error means to a client, and nothing of its text.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if open, ok := errors.AsType[*breaker.OpenError](err); ok {
		w.Header().Set("Retry-After", fmt.Sprint(int(open.RetryAfter.Seconds()+1)))
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}
