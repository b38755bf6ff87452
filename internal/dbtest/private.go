package dbtest

import (
	"context"
	"fmt"
	"testing"
)

// Option configures a server of [Private].
type Option interface{ apply(c *config) }

// config is what options set.
type config struct {
	settings []setting
}

// defaultConfig returns the configuration without options: the flavor's own
// settings.
func defaultConfig() config { return config{} }

type optionFunc func(c *config)

func (f optionFunc) apply(c *config) { f(c) }

// Config sets a configuration parameter of the server by the server's own name
// for it, such as "synchronous_commit" or "innodb-lock-wait-timeout". A later
// one overrides an earlier one and the package's defaults. A server that does
// not know the name or the value fails to start, and the test with it.
func Config(key, value string) Option {
	return optionFunc(func(c *config) { c.settings = append(c.settings, setting{key, value}) })
}

// PrivateServer is a server that belongs to one test, which may do with it what
// befalls servers. It is safe for concurrent use; its methods that change the
// server's state wait for each other. They do nothing to a server that is down.
type PrivateServer struct {
	Server

	in *instance
}

// Private starts a server for t alone and removes it when t ends. It skips t
// where the server is not installed, or fails it; see the package's
// documentation.
func Private(t testing.TB, kind Kind, opts ...Option) *PrivateServer {
	t.Helper()
	f, ok := flavorOf(kind)
	if !ok {
		t.Fatalf("dbtest: start a private server: kind is %q, which is none", kind)
	}
	c := defaultConfig()
	for _, o := range opts {
		o.apply(&c)
	}
	s, err := startPrivate(t, f, c)
	if err != nil {
		unavailable(t, err)
	}
	return s
}

// startPrivate starts the server and leaves its end to t.
func startPrivate(t testing.TB, f flavor, c config) (*PrivateServer, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in, err := newInstance(ctx, f, c.settings)
	if in != nil {
		t.Cleanup(func() {
			if err := reap(in.folder); err != nil {
				t.Error(err)
			}
		})
	}
	if err != nil {
		return nil, err
	}
	if err := in.start(ctx); err != nil {
		return nil, err
	}
	s := &PrivateServer{Server: *in.server(), in: in}
	s.doomed = true
	return s, nil
}

// Kill ends the server and all its processes at once with SIGKILL, as a crash
// does, and returns when they are gone. Committed data survives; clients see
// their connections end.
func (s *PrivateServer) Kill() error { return s.in.kill() }

// Stop ends the server in an orderly way that does not wait for clients, and
// returns when it is gone. A paused server is resumed for that.
func (s *PrivateServer) Stop() error { return s.in.stop() }

// Restart starts the server on the port it had, with its data, after stopping
// it if it runs. It returns when the server takes connections, or ctx ends.
func (s *PrivateServer) Restart(ctx context.Context) error {
	if err := s.in.stop(); err != nil {
		return err
	}
	if err := s.in.resume(ctx); err != nil {
		return fmt.Errorf("dbtest: restart: %w", err)
	}
	return nil
}

// Pause stops every process of the server where it is with SIGSTOP, as a
// stalled machine does: connections stay, the kernel still accepts new ones, and
// nothing answers. It returns when all have stopped.
func (s *PrivateServer) Pause() error { return s.in.pause() }

// Resume lets a paused server go on.
func (s *PrivateServer) Resume() error { return s.in.unpause() }
