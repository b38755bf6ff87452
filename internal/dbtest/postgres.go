package dbtest

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"
)

// postgres knows PostgreSQL.
type postgres struct{}

func (postgres) kind() Kind { return KindPostgres }

func (postgres) programs() []string { return []string{"postgres", "initdb", "pg_isready", "psql"} }

func (postgres) folders() []string {
	return []string{"/usr/pgsql-*/bin", "/usr/lib/postgresql/*/bin"}
}

func (postgres) accounts() []string { return []string{"postgres", "nobody"} }

func (postgres) maintenance() string { return "postgres" }

// SIGINT is PostgreSQL's fast shutdown: it rolls back and disconnects clients.
func (postgres) stopSignal() syscall.Signal { return syscall.SIGINT }

// SIGQUIT is PostgreSQL's immediate shutdown. Unlike SIGKILL it lets the server
// take its processes and its shared memory along.
func (postgres) deathSignal() syscall.Signal { return syscall.SIGQUIT }

func (postgres) socket(in *instance) string {
	return filepath.Join(in.folder, ".s.PGSQL."+strconv.Itoa(in.port))
}

// initialise makes the cluster, then the ordinary user in single-user mode. The
// user may make databases and watch and cancel other sessions, as tests do.
func (p postgres) initialise(in *instance) []command {
	users := fmt.Sprintf("CREATE ROLE %s LOGIN CREATEDB PASSWORD '%s'; GRANT pg_monitor, pg_signal_backend TO %s;\n",
		in.app.user, in.app.password, in.app.user)
	return []command{{
		program: "initdb",
		args: []string{
			"--pgdata=" + in.data(), "--username=" + in.admin.user, "--pwfile=" + in.secret(),
			"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions",
		},
	}, {
		program: "postgres",
		args:    []string{"--single", "-D", in.data(), "-c", "fsync=off", p.maintenance()},
		input:   users,
	}}
}

// serve gives up what protects data from a power cut. WAL still reaches the
// kernel at each commit, so that killing the server loses nothing.
func (p postgres) serve(in *instance, settings []setting) command {
	args := []string{"-D", in.data()}
	for _, s := range append([]setting{
		{"listen_addresses", in.host()},
		{"port", strconv.Itoa(in.port)},
		{"unix_socket_directories", in.folder},
		{"max_connections", "300"},
		{"max_prepared_transactions", "20"},
		{"shared_buffers", "32MB"},
		{"fsync", "off"},
		{"full_page_writes", "off"},
		{"wal_init_zero", "off"},
		// Files in the data folder, which are removed with it.
		{"dynamic_shared_memory_type", "mmap"},
	}, settings...) {
		args = append(args, "-c", s.key+"="+s.value)
	}
	return command{program: "postgres", args: args}
}

func (postgres) ping(in *instance) command {
	return command{program: "pg_isready", args: []string{
		"--host=" + in.folder, "--port=" + strconv.Itoa(in.port), "--timeout=1", "--quiet",
	}}
}

func (postgres) client(db Database, statements string) command {
	target := db.url("postgres", db.postgresParams(nil))
	target.User = url.User(db.User)
	return command{
		program: "psql",
		args: []string{
			"--dbname=" + target.String(), "--no-psqlrc", "--no-password", "--quiet",
			"--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1",
		},
		env:   []string{"PGPASSWORD=" + db.Password},
		input: statements,
	}
}

// create copies template0, to which nobody can be connected.
func (postgres) create(name, owner string) string {
	return fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE template0", name, owner)
}

func (postgres) drop(name string) string {
	return fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)
}
