package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// config is what the flags say.
type config struct {
	url, listen, otlp string
	load              time.Duration
	clients           int
}

func main() {
	var c config
	flag.StringVar(&c.url, "url", "sqlite:webservice.db", "the database; its tables are made")
	flag.StringVar(&c.listen, "listen", "127.0.0.1:8080", "where to serve")
	flag.StringVar(&c.otlp, "otlp", "", "a collector's OTLP/HTTP endpoint, such as http://localhost:4318; empty: none")
	flag.DurationVar(&c.load, "load", 0, "for how long to drive the service and print latencies; 0: serve until interrupted")
	flag.IntVar(&c.clients, "clients", 16, "how many clients drive it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx is over, or the load has been driven.
func run(ctx context.Context, c config, w io.Writer) (err error) {
	tel, err := newTelemetry(ctx, c.otlp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tel.close()) }()
	var eng *engine.Engine
	chain, page, err := pipeline(tel, func() sessionproxy.PoolStats { return eng.PoolStats() })
	if err != nil {
		return err
	}
	eng, err = engine.Open(ctx, c.url, engine.WithChain(chain))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Dispose()) }()
	if err := orm.CreateAll(ctx, eng, (*Account)(nil), (*Transfer)(nil)); err != nil {
		return err
	}
	maker, err := proxy.NewMaker(eng)
	if err != nil {
		return err
	}
	handler, err := (&service{maker}).handler()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", tel.trace(handler))
	mux.Handle("/debug/db", page)
	return serve(ctx, c, mux, w, tel)
}

// serve serves until ctx is over, or the load has been driven.
func serve(ctx context.Context, c config, handler http.Handler, w io.Writer, tel *telemetry) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	address := "http://" + listener.Addr().String()
	if _, err := fmt.Fprintf(w, "serving on %s\nthe live page: %s/debug/db\n", address, address); err != nil {
		return err
	}
	if c.load > 0 {
		err = drive(ctx, w, address, c.load, c.clients)
		_, werr := io.WriteString(w, tel.summary(ctx))
		err = errors.Join(err, werr)
	} else {
		<-ctx.Done()
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = errors.Join(err, server.Shutdown(shutdown))
	if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}
