package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"

	sp "github.com/sessionproxy/sessionproxy"
)

// serverKey is the context key of the server to dial.
type serverKey struct{}

// choice is a server among several: the one to dial, or, once a connection is
// open, the one that it reached.
type choice struct{ address string }

// dialFirst returns a function that dials the servers in order and takes the
// first that answers, or the one that the context asks for.
func dialFirst(servers []string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		chosen, _ := ctx.Value(serverKey{}).(*choice)
		if chosen == nil {
			chosen = &choice{}
		}
		if chosen.address != "" {
			return new(net.Dialer).DialContext(ctx, network, chosen.address)
		}
		var failed []error
		for _, address := range servers {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				chosen.address = address
				return conn, nil
			}
			failed = append(failed, err)
		}
		return nil, errors.Join(failed...)
	}
}

// reach opens a connection to the server at address, or to any if address is
// empty. It returns the address that it reached, "" if there is only one
// server.
func (c *connector) reach(ctx context.Context, address string) (driver.Conn, string, error) {
	if c.target.Host != "" {
		conn, err := c.base.Connect(ctx)
		return conn, "", err
	}
	chosen := &choice{address: address}
	conn, err := c.base.Connect(context.WithValue(ctx, serverKey{}, chosen))
	return conn, chosen.address, err
}

// Target names the database, for package sqldb. If there are several servers it
// names no host; each connection names its own.
func (c *connector) Target() sp.Target {
	t := c.target
	if found := c.found.Load(); found != nil {
		t.System = *found
	}
	return t
}

// Target names the database and the server that the connection reached.
func (c *conn) Target() sp.Target {
	if c.server == "" {
		return c.connector.Target()
	}
	t := c.connector.Target().WithIdentity("")
	t.Host, t.Port = splitAddress(c.server)
	return t
}
