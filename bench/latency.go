package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// latencyStatements is how many statements are sent.
const latencyStatements = 100

const latencyUpdate = "UPDATE latency SET n = n + 1 WHERE id = $1"

// Latency sends 100 statements over a link, as a blocking and as an async
// session and as a batch by hand, and writes a table of the times, which are
// medians of rounds. The link takes oneWay in each direction.
func Latency(ctx context.Context, w io.Writer, oneWay time.Duration, rounds int) (err error) {
	db, giveBack, err := dbtest.Borrow(ctx, dbtest.KindPostgres)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, giveBack()) }()
	target, err := url.Parse(db.URL())
	if err != nil {
		return errors.New("bench: the server's URL is none")
	}
	link, err := NewLink(ctx, target.Host, oneWay)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, link.Close()) }()
	far, err := link.URL(db.URL())
	if err != nil {
		return err
	}
	l, err := newLatency(ctx, far)
	if err != nil {
		return err
	}
	defer l.close()
	return l.table(ctx, w, oneWay, rounds)
}

// latency is what the statements are sent with.
type latency struct {
	eng  *engine.Engine
	pool *pgxpool.Pool
}

func newLatency(ctx context.Context, far string) (*latency, error) {
	eng, err := engine.Open(ctx, far)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(ctx, far)
	if err != nil {
		return nil, errors.Join(err, eng.Dispose())
	}
	l := &latency{eng, pool}
	for _, text := range []string{
		"CREATE TABLE latency (id int PRIMARY KEY, n int NOT NULL)",
		fmt.Sprintf("INSERT INTO latency SELECT i, 0 FROM generate_series(0, %d) i", latencyStatements),
	} {
		if _, err := pool.Exec(ctx, text); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *latency) close() {
	l.pool.Close()
	_ = l.eng.Dispose()
}

// table measures each way in turn.
func (l *latency) table(ctx context.Context, w io.Writer, oneWay time.Duration, rounds int) error {
	ways := []struct {
		name string
		send func(ctx context.Context) error
	}{
		{"blocking session", l.blocking}, {"async session", l.awaited}, {"pgx.Batch by hand", l.byHand},
	}
	times := make([][]time.Duration, len(ways))
	for round := range rounds + 1 { // the first makes connections and prepares statements
		for i, way := range ways {
			start := time.Now()
			if err := way.send(ctx); err != nil {
				return fmt.Errorf("bench: %s: %w", way.name, err)
			}
			if round > 0 {
				times[i] = append(times[i], time.Since(start))
			}
		}
	}
	out := new(strings.Builder)
	fmt.Fprintf(out, "%d statements and COMMIT over a link of %s each way, medians of %d rounds\n\n", latencyStatements, oneWay, rounds)
	fmt.Fprintf(out, "| | time | of blocking | round trips |\n| --- | ---: | ---: | ---: |\n")
	whole := median(times[0])
	trip := float64(whole) / (latencyStatements + 2) // BEGIN and COMMIT have one each
	for i, way := range ways {
		t := median(times[i])
		fmt.Fprintf(out, "| %s | %s | 1/%.1f | %.1f |\n", way.name, t.Round(10*time.Microsecond), float64(whole)/float64(t), float64(t)/trip)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

func (l *latency) blocking(ctx context.Context) (err error) {
	s := proxy.NewSession(l.eng)
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	for i := range latencyStatements {
		if _, err := s.Execute(ctx, engine.Text(latencyUpdate, i)); err != nil {
			return err
		}
	}
	return s.Commit(ctx)
}

func (l *latency) awaited(ctx context.Context) (err error) {
	a := proxy.NewAsyncSession(l.eng)
	defer func() { err = errors.Join(err, a.Aclose(ctx).Await(ctx)) }()
	for i := range latencyStatements {
		a.Execute(ctx, engine.Text(latencyUpdate, i))
	}
	return a.Commit(ctx).Await(ctx) // returns errors that nobody has awaited
}

func (l *latency) byHand(ctx context.Context) error {
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		for i := range latencyStatements {
			b.Queue(latencyUpdate, i)
		}
		return tx.SendBatch(ctx, b).Close()
	})
}
