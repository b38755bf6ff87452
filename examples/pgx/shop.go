package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// shop is a pool behind the pipeline, another session that knows nothing of
// it, and what was measured.
type shop struct {
	db    *pgxdb.Pool
	other *pgx.Conn

	loaded int64 // items, by COPY
	cheap  int   // items
	sold   int64 // lamps, by both sellers
	lost   int64 // connections
}

// openShop connects to a database, with a new pool and beside it.
func openShop(ctx context.Context, url string, provider trace.TracerProvider) (*shop, error) {
	chain, err := chainTo(provider)
	if err != nil {
		return nil, err
	}
	other, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	db, err := pgxdb.NewPool(ctx, url, chain)
	if err != nil {
		_ = other.Close(ctx)
		return nil, err
	}
	return &shop{db: db, other: other}, nil
}

func (s *shop) close(ctx context.Context) {
	s.db.Close()
	_ = s.other.Close(ctx)
}

// chainTo returns the pipeline; the first interceptor is outermost.
func chainTo(provider trace.TracerProvider) (sessionproxy.Chain, error) {
	var none sessionproxy.Chain
	tracer, err := tracing.New(tracing.WithTracerProvider(provider))
	if err != nil {
		return none, err
	}
	overall, err := timeout.New(5 * time.Second)
	if err != nil {
		return none, err
	}
	retrier, err := retry.New()
	if err != nil {
		return none, err
	}
	brk, err := breaker.New()
	if err != nil {
		return none, err
	}
	return sessionproxy.NewChain(tracer, overall, retrier, brk), nil
}

// fill creates the stock and prices it.
func (s *shop) fill(ctx context.Context) (err error) {
	items := []item{{"lamp", 4900, 10}, {"chair", 8900, 4}, {"candle", 100, 500}}
	for i := range 500 {
		items = append(items, item{fmt.Sprintf("screw M%d", i), 20, 1000})
	}
	st := stock{s.db}
	if err := st.create(ctx); err != nil {
		return err
	}
	if s.loaded, err = st.load(ctx, items); err != nil {
		return err
	}
	if err := st.reprice(ctx, map[string]int64{"lamp": 4500, "chair": 7900}); err != nil {
		return err
	}
	cheap, err := st.cheaperThan(ctx, 100)
	s.cheap = len(cheap)
	return err
}

// compete sells a lamp while the other session sells one as well: the unit of
// work meets a serialization failure and has to read the quantity anew.
func (s *shop) compete(ctx context.Context) error {
	before, err := stock{s.other}.quantity(ctx, "lamp")
	if err != nil {
		return err
	}
	performances := 0
	err = s.sell(ctx, "lamp", func() error {
		if performances++; performances == 1 {
			return stock{s.other}.setQuantity(ctx, "lamp", before-1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	after, err := stock{s.other}.quantity(ctx, "lamp")
	s.sold = before - after
	return err
}

// sell sells one of an item, in a unit of work that is performed again from
// its start if it has to be. Between reading and writing it calls meanwhile.
func (s *shop) sell(ctx context.Context, name string, meanwhile func() error) error {
	opts := pgx.TxOptions{IsoLevel: pgx.Serializable}
	return s.db.RunInTx(ctx, opts, func(ctx context.Context, tx pgx.Tx) error {
		st := stock{tx}
		n, err := st.quantity(ctx, name)
		if err != nil {
			return err
		}
		if err := meanwhile(); err != nil {
			return err
		}
		return st.setQuantity(ctx, name, n-1)
	})
}

// cutOff has the server end every connection of the pool, and asks for the
// stock: declared as reading only, the query may be performed again.
func (s *shop) cutOff(ctx context.Context) error {
	tag, err := s.other.Exec(ctx, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`)
	if err != nil {
		return err
	}
	s.lost = tag.RowsAffected()
	_, err = stock{s.db}.quantity(sessionproxy.WithReadOnly(ctx), "lamp")
	return err
}
