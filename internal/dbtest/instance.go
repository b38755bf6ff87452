package dbtest

import (
	"path/filepath"
	"sync"
)

// instance is a server that this package made: its folder, and the process
// while it runs.
type instance struct {
	flavor   flavor
	bin      binaries
	folder   string
	port     int
	settings []setting
	admin    login
	app      login
	account  *account

	mu      sync.Mutex // guards what follows, and is held while it changes
	running *process   // nil if the server is down
}

// host returns where the server listens.
func (in *instance) host() string { return "127.0.0.1" }

// data returns the folder of the server's data.
func (in *instance) data() string { return filepath.Join(in.folder, "data") }

// secret returns the path of a file that holds the superuser's password.
func (in *instance) secret() string { return filepath.Join(in.folder, "secret") }

// log returns the path of the server's log since its last start.
func (in *instance) log() string { return filepath.Join(in.folder, "log") }

// server returns how tests see in.
func (in *instance) server() *Server {
	return &Server{
		flavor: in.flavor,
		admin: Database{
			Kind: in.flavor.kind(), Name: in.flavor.maintenance(),
			Host: in.host(), Port: in.port, Socket: in.flavor.socket(in),
			User: in.admin.user, Password: in.admin.password, bin: in.bin,
		},
		app: in.app,
	}
}
