package outage

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

func restart(ctx context.Context, s *stage) error {
	s.gone()
	return s.returnsBy(ctx, func() error { return s.cluster.primary.Restart(ctx) })
}

func crash(ctx context.Context, s *stage) error {
	s.gone()
	if err := s.cluster.primary.Kill(); err != nil {
		return err
	}
	return s.returnsBy(ctx, func() error { return s.cluster.primary.Restart(ctx) })
}

// absence lets the server be away for a while.
func absence(ctx context.Context, s *stage) error {
	s.gone()
	if err := s.cluster.primary.Stop(); err != nil {
		return err
	}
	if err := s.hold(ctx); err != nil {
		return err
	}
	return s.returnsBy(ctx, func() error { return s.cluster.primary.Restart(ctx) })
}

func failover(ctx context.Context, s *stage) error {
	s.gone()
	if err := s.cluster.primary.Kill(); err != nil {
		return err
	}
	if err := s.hold(ctx); err != nil {
		return err
	}
	return s.returnsBy(ctx, func() error { return s.cluster.standby.Promote(ctx) })
}

func hang(ctx context.Context, s *stage) error {
	s.gone()
	if err := s.cluster.primary.Pause(); err != nil {
		return err
	}
	err := s.hold(ctx)
	err = errors.Join(err, s.cluster.primary.Resume())
	s.returned()
	return err
}

// brownout takes the CPU away.
func brownout(ctx context.Context, s *stage) error {
	fires, err := startFires()
	if err != nil {
		return err
	}
	s.gone()
	err = errors.Join(s.hold(ctx), fires.end())
	s.returned()
	return err
}

// slowTable holds a lock that nobody gets past.
func slowTable(ctx context.Context, s *stage) error {
	conn, err := pgx.Connect(ctx, s.cluster.url)
	if err != nil {
		return err
	}
	s.gone()
	if _, err = conn.Exec(ctx, "BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE"); err == nil {
		err = s.hold(ctx)
	}
	err = errors.Join(err, conn.Close(ctx))
	s.returned()
	return err
}

// surge has more callers come: as many times what the server can do as it is
// told, with calls that are marked.
func surge(times float64, mark func(context.Context) context.Context) func(ctx context.Context, s *stage) error {
	return func(ctx context.Context, s *stage) error {
		load := Load{Rate: times * s.capacity, Mix: []Part{{Statement: heavy, Weight: 1, Mark: mark}}}
		s.gone()
		limited, cancel := context.WithTimeout(ctx, s.scenario.Hold)
		defer cancel()
		s.drive(limited, load, s.seed+1) // returns when the last of the callers has
		s.returned()
		return context.Cause(ctx)
	}
}

// hold waits as long as the fault is to last.
func (s *stage) hold(ctx context.Context) error { return pause(ctx, s.scenario.Hold) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
