package dbtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// PgBouncer starts a PgBouncer for t alone in front of a database of
// PostgreSQL, ends it with t, and returns the database as it is reached through
// it. It pools by transaction, and keeps four connections to the server; options
// set its configuration parameters, such as Config("pool_mode", "session"). The
// database "pgbouncer" of the same user is its console. It skips t where
// PgBouncer is not installed, or fails it; see the package's documentation.
func PgBouncer(t testing.TB, db Database, opts ...Option) Database {
	t.Helper()
	c := defaultConfig()
	for _, o := range opts {
		o.apply(&c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f := pgbouncer{database: db}
	in, err := newPooler(f, c.settings)
	if in != nil {
		t.Cleanup(func() {
			if err := reap(in.folder); err != nil {
				t.Error(err)
			}
		})
	}
	if err == nil {
		err = in.start(ctx)
	}
	if err != nil {
		unavailable(t, err)
	}
	db.Host, db.Port, db.Socket, db.params = in.host(), in.port, f.socket(in), nil
	return db
}

// pgbouncer knows PgBouncer, to whose clients it is a server of PostgreSQL.
type pgbouncer struct {
	postgres

	database Database // what it is in front of
}

func (pgbouncer) programs() []string { return []string{"pgbouncer", "pg_isready", "psql"} }

func (p pgbouncer) folders() []string { return append(p.postgres.folders(), "/usr/sbin") }

// initialise is not needed: there is no data.
func (pgbouncer) initialise(*instance) []command { return nil }

// serve writes the configuration. Passwords are in a file beside it, in the
// clear: with what SCRAM keeps of them PgBouncer could not log in to the server.
func (p pgbouncer) serve(in *instance, settings []setting) command {
	d := p.database
	all := map[string]string{
		"listen_addr":       in.host(),
		"listen_port":       strconv.Itoa(in.port),
		"unix_socket_dir":   in.folder,
		"auth_type":         "scram-sha-256",
		"auth_file":         "users",
		"admin_users":       d.User,
		"pool_mode":         "transaction",
		"default_pool_size": "4",
		"max_client_conn":   "500",
	}
	for _, s := range settings {
		all[s.key] = s.value
	}
	var ini strings.Builder
	fmt.Fprintf(&ini, "[databases]\n* = host=%s port=%d\n\n[pgbouncer]\n", d.Host, d.Port)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&ini, "%s = %s\n", key, all[key])
	}
	return command{
		program: "pgbouncer",
		args:    []string{"pgbouncer.ini"},
		files: map[string]string{
			"pgbouncer.ini": ini.String(),
			"users":         fmt.Sprintf("%q %q\n", d.User, d.Password),
		},
	}
}
