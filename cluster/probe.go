package cluster

import (
	"context"

	"github.com/sessionproxy/sessionproxy"
)

// Role is what a server is in its cluster.
type Role uint8

const (
	// Primary takes writes.
	Primary Role = iota + 1
	// Replica follows a primary and refuses writes.
	Replica
)

// String returns "primary" or "replica"; "node" for anything else.
func (r Role) String() string {
	switch r {
	case Primary:
		return "primary"
	case Replica:
		return "replica"
	default:
		return "node"
	}
}

// Status is what a server says of itself.
type Status struct {
	// Role is what it is. It is never unknown: that is an error of the probe.
	Role Role
	// Term grows with each promotion, such as PostgreSQL's timeline: of two
	// primaries the one with the higher term is right. 0 if it is not known, as
	// on a replica.
	Term uint64
	// Position is how far the server's data goes, as a number that grows: on a
	// replica what it has replayed. 0 if it is not known.
	Position uint64
}

// A Probe asks servers what they are, for a kind of database; driver integrations
// have them, such as pgxdb.Probe. It is safe for concurrent use.
type Probe interface {
	// Target reads a data source name. It does not connect. An error quotes
	// nothing that may be a password.
	Target(dsn string) (sessionproxy.Target, error)
	// Connect opens a connection for a monitor.
	Connect(ctx context.Context, dsn string) (ProbeConn, error)
}

// ProbeConn is a monitor's connection to a server. One goroutine uses it.
type ProbeConn interface {
	// Ask asks the server what it is, in one round trip.
	Ask(ctx context.Context) (Status, error)
	// Close closes the connection, also after an error.
	Close(ctx context.Context) error
}
