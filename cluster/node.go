package cluster

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionproxy/sessionproxy"
)

// NodeConfig is a server of a cluster.
type NodeConfig struct {
	// Name is the server's name, for telemetry and [OnNode].
	Name string
	// DSN is what the driver connects with. It may have a password.
	DSN string
}

// String returns the name alone: the DSN may have a password.
func (n NodeConfig) String() string { return n.Name }

// GoString returns the name alone.
func (n NodeConfig) GoString() string { return n.Name }

// State is what the monitor knows of a server.
type State uint8

const (
	// Unknown is the state before the first answer, and after an answer that
	// does not tell the role, such as a refused login.
	Unknown State = iota
	// Up is the state of a server that has answered the last question.
	Up
	// Suspect is the state of a server that left a question unanswered, or on
	// which a call has lost its connection since. It gets no new calls.
	Suspect
	// Down is the state of a server that refuses connections or has left
	// several questions unanswered. What ran on it was ended.
	Down
)

// String returns "unknown", "up", "suspect" or "down".
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Suspect:
		return "suspect"
	case Down:
		return "down"
	default:
		return "unknown"
	}
}

// NodeStatus is what is known of a server at one moment.
type NodeStatus struct {
	// Name is the server's name.
	Name string
	// Target is the server.
	Target sessionproxy.Target
	// State is what its monitor knows.
	State State
	// Status is its last answer, which may be old unless State is [Up].
	Status Status
	// Lag is how far a replica lags behind the primary; 0 on a primary.
	Lag time.Duration
	// Active is the number of calls that it has not answered yet.
	Active int
}

// node is a server and what is known of it.
type node struct {
	sessionproxy.Node
	dsn string

	active atomic.Int64 // calls that were not answered yet
	wary   atomic.Bool  // a call has failed so that a breaker may refuse others
	lost   atomic.Bool  // down: no new connections

	kick chan struct{} // asks for a question at once

	// Under the cluster's lock.
	state   State
	asked   bool   // once, at least
	missed  int    // questions without an answer, in a row
	doubts  uint64 // how often a call has found the node at fault
	doubted bool   // since the last answer
	status  Status
	lag     time.Duration

	mu    sync.Mutex
	conns map[net.Conn]func() // what ends each
}

// fit reports whether the node's last answer holds.
func (n *node) fit() bool { return n.state == Up && !n.doubted }

// shown returns the state as it is told to others.
func (n *node) shown() State {
	if n.state == Up && n.doubted {
		return Suspect
	}
	return n.state
}

// poke asks the node's monitor for a question at once.
func (n *node) poke() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}
