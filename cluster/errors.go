package cluster

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// ErrNoNode is matched by the error of a call for which no server was fit; see
// [NoNodeError].
var ErrNoNode = errors.New("cluster: no node is fit for the call")

// ErrNodeDown is matched by the error of what ran on a server when its monitor
// declared it down: its connections were closed.
var ErrNodeDown = errors.New("cluster: the node was declared down")

// ErrClosed is matched by the error of a call after [Cluster.Close].
var ErrClosed = errors.New("cluster: closed")

// NoNodeError is the error of a call for which no server was fit. Nothing was
// sent. It matches [ErrNoNode] and [fault.ErrRejected]: a retry would wait no
// less.
type NoNodeError struct {
	// Role is what was wanted.
	Role Role
	// Node is the name of the one node that the call asked for, or empty.
	Node string
	// Split says that servers contradict each other about which is the primary.
	Split bool
	// Waited is how long the call waited.
	Waited time.Duration
	// Err is why the wait ended, if not by its own limit: the context's cause,
	// [ErrClosed].
	Err error
}

// Error names the role; it contains no time, so that trackers group it.
func (e *NoNodeError) Error() string {
	text := "cluster: no " + e.Role.String() + " is fit for the call"
	if e.Node != "" {
		text = fmt.Sprintf("cluster: node %q is not fit for the call", e.Node)
	}
	if e.Split {
		text += ": several servers say they are the primary, and which one is can't be decided"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is reports whether target is [ErrNoNode] or [fault.ErrRejected].
func (*NoNodeError) Is(target error) bool { return target == ErrNoNode || target == fault.ErrRejected }

// Unwrap returns why the wait ended.
func (e *NoNodeError) Unwrap() error { return e.Err }

// down is the error of an operation on a connection to a node that is down, in
// the form that drivers know from the network.
func down(op string, addr net.Addr) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: addr, Err: ErrNodeDown}
}
