package outage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// rows is how many rows each table has.
const rows = 1000

// A cluster is a private PostgreSQL with the tables that are used, and maybe a
// standby of it.
type cluster struct {
	primary *dbtest.PrivateServer
	standby *dbtest.PrivateServer // nil: none
	url     string
	release []func() error
}

// newCluster starts the servers.
func newCluster(ctx context.Context, withStandby bool) (c *cluster, err error) {
	c = new(cluster)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	var giveBack func() error
	if c.primary, giveBack, err = dbtest.BorrowServer(ctx, dbtest.KindPostgres); err != nil {
		return c, err
	}
	c.release = append(c.release, giveBack)
	db, err := c.primary.Create(ctx, "outage")
	if err != nil {
		return c, err
	}
	_, err = db.Query(ctx, fmt.Sprintf(`
		CREATE TABLE items (id bigint PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 50);
		INSERT INTO items SELECT i, 0 FROM generate_series(1, %d) AS i;
		CREATE TABLE locked AS TABLE items;
		ANALYZE`, rows))
	if err != nil {
		return c, err
	}
	c.url = db.URL()
	if !withStandby {
		return c, nil
	}
	if c.standby, giveBack, err = c.primary.Standby(ctx); err != nil {
		return c, err
	}
	c.release = append(c.release, giveBack)
	c.url, err = bothOf(c.url, c.standby.Admin().Port)
	return c, err
}

// bothOf adds a second server to a URL, of which the client takes the one that
// writes.
func bothOf(first string, port int) (string, error) {
	u, err := url.Parse(first)
	if err != nil {
		return "", errors.New("outage: the server's URL is none")
	}
	u.Host += "," + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	q := u.Query()
	q.Set("target_session_attrs", "read-write")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// pool returns the configuration of a subject's pool, whose connects are counted.
func (c *cluster) pool(dials *atomic.Int64) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(c.url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = poolSize
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, address)
	}
	return cfg, nil
}

// awaitReturn blocks until a connection of its own can be made and answers, or
// ctx ends.
func (c *cluster) awaitReturn(ctx context.Context) error {
	const pause, patience = 5 * time.Millisecond, 500 * time.Millisecond
	for {
		attempt, cancel := context.WithTimeout(ctx, patience)
		conn, err := pgx.Connect(attempt, c.url)
		cancel()
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// close ends the servers.
func (c *cluster) close() error {
	var errs []error
	for _, giveBack := range c.release {
		errs = append(errs, giveBack())
	}
	return errors.Join(errs...)
}
