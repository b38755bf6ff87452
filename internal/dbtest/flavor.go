package dbtest

import (
	"syscall"
)

// flavor is what differs between the kinds of server. Its methods are pure:
// what they return is looked up and run by [binaries].
type flavor interface {
	// kind returns which kind this is.
	kind() Kind
	// programs names the binaries that a private server needs, the server
	// itself first and the client last.
	programs() []string
	// folders lists patterns of folders where distributions keep binaries that
	// are not on the PATH.
	folders() []string
	// accounts names the users to run as when root runs the tests, best first.
	accounts() []string
	// initialise lists the commands that make the data folder of in, and the
	// two users that a server has.
	initialise(in *instance) []command
	// serve returns the server's own command.
	serve(in *instance, settings []setting) command
	// ping returns a command that succeeds once the server takes connections.
	ping(in *instance) command
	// stopSignal asks for an orderly end that waits for no client.
	stopSignal() syscall.Signal
	// deathSignal ends the server and what it started at once.
	deathSignal() syscall.Signal
	// socket returns the path of the server's Unix socket.
	socket(in *instance) string
	// maintenance names the database that is always there.
	maintenance() string
	// client returns a command that runs statements and prints their rows.
	client(db Database, statements string) command
	// create returns the statement that makes a database owned by owner.
	create(name, owner string) string
	// drop returns the statement that removes a database, in use or not.
	drop(name string) string
}

// flavorOf returns what the package knows of a kind; ok is false for a kind
// that it does not know.
func flavorOf(k Kind) (f flavor, ok bool) {
	switch k {
	case KindPostgres:
		return postgres{}, true
	case KindMariaDB:
		return mariadb{}, true
	}
	return nil, false
}

// setting is one configuration parameter of a server.
type setting struct{ key, value string }

// login is a user of a server.
type login struct{ user, password string }

// Kind is a kind of server.
type Kind string

// The kinds of server that this package can start. Their values are those of
// OpenTelemetry's attribute db.system.name.
const (
	// KindPostgres is PostgreSQL.
	KindPostgres Kind = "postgresql"
	// KindMariaDB is MariaDB.
	KindMariaDB Kind = "mariadb"
)
