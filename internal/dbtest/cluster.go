package dbtest

import (
	"context"
	"fmt"
	"testing"
)

// Cluster is a primary of PostgreSQL and its standbys, with a database, for one
// test, which may do with them what befalls servers: see [PrivateServer]. It is
// safe for concurrent use.
type Cluster struct {
	// Servers are the primary, as long as no other is promoted, and its
	// standbys, which follow it asynchronously.
	Servers []*PrivateServer

	db Database
}

// NewCluster starts a primary and so many standbys for t alone and removes them
// when t ends. It skips t where PostgreSQL is not installed, or fails it.
func NewCluster(t testing.TB, standbys int, opts ...Option) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	primary := Private(t, KindPostgres, opts...)
	db, err := primary.create(ctx, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Servers: []*PrivateServer{primary}, db: db}
	for range standbys {
		standby, giveBack, err := primary.Standby(ctx)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := giveBack(); err != nil {
				t.Error(err)
			}
		})
		c.Servers = append(c.Servers, standby)
	}
	return c
}

// Database returns the cluster's database on server i.
func (c *Cluster) Database(i int) Database {
	there := c.db
	there.Port, there.Socket = c.Servers[i].Admin().Port, c.Servers[i].Admin().Socket
	return there
}

// Synchronous has a COMMIT on server i wait until so many of its standbys have it;
// 0 for none, as at the beginning.
func (c *Cluster) Synchronous(ctx context.Context, i, standbys int) error {
	names := ""
	if standbys > 0 {
		names = fmt.Sprintf("%d (*)", standbys)
	}
	return c.set(ctx, i, "synchronous_standby_names", names)
}

// Follow has standby i follow server j, such as one that was promoted.
func (c *Cluster) Follow(ctx context.Context, i, j int) error {
	admin := c.Servers[j].Admin()
	return c.set(ctx, i, "primary_conninfo", fmt.Sprintf("host=%s port=%d user=%s password=%s", admin.Host, admin.Port, admin.User, admin.Password))
}

// set changes a parameter of a server while it runs, and blocks until the server
// has read it.
func (c *Cluster) set(ctx context.Context, i int, key, value string) error {
	admin := c.Servers[i].Admin()
	if _, err := admin.Query(ctx, fmt.Sprintf("ALTER SYSTEM SET %s = '%s';\nSELECT pg_reload_conf()", key, value)); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		now, err := admin.Query(ctx, "SHOW "+key)
		return now == value, err
	})
}

// PauseReplay has standby i receive what its primary sends and not show it, until
// [Cluster.ResumeReplay].
func (c *Cluster) PauseReplay(ctx context.Context, i int) error {
	_, err := c.Servers[i].Admin().Query(ctx, "SELECT pg_wal_replay_pause()")
	return err
}

// ResumeReplay ends what [Cluster.PauseReplay] began.
func (c *Cluster) ResumeReplay(ctx context.Context, i int) error {
	_, err := c.Servers[i].Admin().Query(ctx, "SELECT pg_wal_replay_resume()")
	return err
}

// CaughtUp blocks until standby i shows everything that server j has written by
// now, at most until ctx ends.
func (c *Cluster) CaughtUp(ctx context.Context, i, j int) error {
	pos, err := c.Servers[j].Admin().Query(ctx, "SELECT pg_current_wal_lsn()")
	if err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		out, err := c.Servers[i].Admin().Query(ctx, fmt.Sprintf("SELECT pg_last_wal_replay_lsn() >= '%s'", pos))
		return out == "t", err
	})
}
