package dbtest

import (
	"context"
	"errors"
	"fmt"
)

// BorrowServer gives a server to a program that is no test, which may then do
// with it what befalls servers. It blocks until the server takes connections, at
// most until ctx ends.
//
// giveBack ends the server and removes it, and is called once. Should it never
// be, the watchdog does that when the program has ended.
func BorrowServer(ctx context.Context, kind Kind, opts ...Option) (s *PrivateServer, giveBack func() error, err error) {
	f, ok := flavorOf(kind)
	if !ok {
		return nil, nil, fmt.Errorf("dbtest: borrow a server: kind is %q, which is none", kind)
	}
	c := defaultConfig()
	for _, o := range opts {
		o.apply(&c)
	}
	in, err := newInstance(ctx, f, c.settings)
	if err == nil {
		err = in.start(ctx)
	}
	return lend(in, err)
}

// lend returns an instance as a server, or removes what is left of one that
// could not be started.
func lend(in *instance, err error) (*PrivateServer, func() error, error) {
	switch {
	case err != nil && in != nil:
		return nil, nil, errors.Join(err, reap(in.folder))
	case err != nil:
		return nil, nil, err
	}
	s := &PrivateServer{Server: *in.server(), in: in}
	s.doomed = true
	return s, func() error { return reap(in.folder) }, nil
}

// Create makes an empty database on the server; it goes with the server. Purpose
// becomes part of its name. It blocks until the server has made it or ctx ends.
func (s *PrivateServer) Create(ctx context.Context, purpose string) (Database, error) {
	return s.create(ctx, purpose)
}

// Standby starts a second server that follows this one, a hot standby of
// PostgreSQL; other kinds are an error. It blocks until the
// standby takes connections, at most until ctx ends. giveBack is that of
// [BorrowServer].
func (s *PrivateServer) Standby(ctx context.Context) (standby *PrivateServer, giveBack func() error, err error) {
	if s.Kind() != KindPostgres {
		return nil, nil, fmt.Errorf("dbtest: start a standby of %s: only PostgreSQL has one here", s.Kind())
	}
	in, err := s.in.standby(ctx)
	return lend(in, err)
}

// Promote ends a standby's recovery, so that it takes writes, and blocks until it
// does, at most until ctx ends. A server that is no standby fails it.
func (s *PrivateServer) Promote(ctx context.Context) error {
	out, err := s.admin.Query(ctx, "SELECT pg_promote(true, 60)")
	if err == nil && out != "t" {
		err = errors.New("it did not end its recovery")
	}
	if err != nil {
		return fmt.Errorf("dbtest: promote a standby: %w", err)
	}
	return nil
}
