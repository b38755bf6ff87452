package main

import (
	"context"
	"errors"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// DB is a client behind a chain. It is safe for concurrent use.
type DB struct {
	client  *client
	handler sessionproxy.Handler
	target  *sessionproxy.Target
}

// errNotPerformed is the error of a call that an interceptor has answered with
// success and without a result.
var errNotPerformed = errors.New("thirddriver: an interceptor did not perform the call")

// Attach puts chain in front of a client. The chain is composed here, once for
// all calls; name says which database it is, for spans and circuits.
func Attach(c *client, name string, chain sessionproxy.Chain) *DB {
	return &DB{
		client:  c,
		handler: chain.Then(attach.Perform),
		target:  &sessionproxy.Target{System: sessionproxy.SQLite, Namespace: name},
	}
}

// describe readies a call: who performs it, what encloses it, what it is.
func (db *DB) describe(ctx context.Context, call *sessionproxy.Call, p attach.Performer, op sessionproxy.Op) {
	attach.Reset(call, p)
	attach.Bind(ctx, call)
	call.Op, call.Target = op, db.target
}

// acquire returns a connection for the call whose context ctx is. To open one
// is a call of its own, a step of the other.
func (db *DB) acquire(ctx context.Context) (*conn, error) {
	if idle := db.client.take(); idle != nil {
		return idle, nil
	}
	d := &dial{client: db.client}
	db.describe(ctx, &d.call, d, sessionproxy.OpConnect)
	_, err := attach.Run(ctx, &d.call, db.handler)
	if err != nil {
		return nil, errors.Join(err, d.drop())
	}
	if d.conn == nil {
		return nil, errNotPerformed
	}
	return d.conn, nil
}

// release gives a connection back, or closes one that is not fit to be used.
func (db *DB) release(c *conn, fit bool) {
	if !fit {
		_ = c.raw.Close()
		return
	}
	db.client.put(c)
}

// dial performs calls that open a connection.
type dial struct {
	call   sessionproxy.Call
	client *client
	conn   *conn
}

func (d *dial) Do(ctx context.Context, call *sessionproxy.Call) error {
	if err := d.drop(); err != nil { // an attempt that was refused after it succeeded
		return err
	}
	c, err := d.client.dial()
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnsent)
		return err
	}
	d.conn = c
	return nil
}

// drop closes the connection that an earlier attempt has left.
func (d *dial) drop() error {
	if d.conn == nil {
		return nil
	}
	defer func() { d.conn = nil }()
	return d.conn.raw.Close()
}
