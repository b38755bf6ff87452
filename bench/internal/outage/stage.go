package outage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A stage is where one round takes place: the servers, and the subjects that go
// through it together, under load.
type stage struct {
	scenario Scenario
	cluster  *cluster
	seed     uint64
	capacity float64 // how many heavy statements the server can do per second

	clock  clock
	actors []*actor
	away   time.Duration // when the fault began
	back   time.Duration // when it ended
}

// An actor is a subject on a stage.
type actor struct {
	client  Client
	record  recorder
	dials   atomic.Int64
	tried   int64 // dials before the fault, and then during it
	limit   int   // when the fault ended; 0: none that changes
	subject Subject
}

// enter opens subjects on the stage, with pools of their own.
func (s *stage) enter(ctx context.Context, subjects []Subject) error {
	for _, subject := range subjects {
		a := &actor{subject: subject}
		cfg, err := s.cluster.pool(&a.dials)
		if err == nil {
			a.client, err = subject.Open(ctx, cfg)
		}
		if err != nil {
			return fmt.Errorf("outage: open %s: %w", subject.Name, err)
		}
		s.actors = append(s.actors, a)
	}
	return nil
}

// leave closes them.
func (s *stage) leave() {
	for _, a := range s.actors {
		a.client.Close()
	}
}

// play lets the scenario happen, with a time before and a time after it, and
// returns what became of each subject.
func (s *stage) play(ctx context.Context, before, after time.Duration) ([]trial, error) {
	s.clock = clock{time.Now()}
	loaded, cancel := context.WithCancel(ctx)
	var load sync.WaitGroup
	load.Go(func() { s.drive(loaded, s.scenario.Load, s.seed) })
	err := pause(ctx, before)
	if err == nil {
		err = s.scenario.Inflict(ctx, s)
	}
	if err == nil {
		err = pause(ctx, after)
	}
	cancel()
	load.Wait()
	if err != nil {
		return nil, fmt.Errorf("outage: %s: %w", s.scenario.Name, err)
	}
	var trials []trial
	for _, a := range s.actors {
		trials = append(trials, trial{a.record.take(), s.away, s.back, int(a.tried), a.limit})
	}
	return trials, nil
}

// drive gives every actor a load until ctx ends, and waits for the last call.
func (s *stage) drive(ctx context.Context, load Load, seed uint64) {
	var all sync.WaitGroup
	for _, a := range s.actors {
		all.Go(func() { drive(ctx, load, seed, s.clock, a.client, &a.record) })
	}
	all.Wait()
}

// gone marks the beginning of the fault.
func (s *stage) gone() {
	s.away = s.clock.now()
	for _, a := range s.actors {
		a.tried = -a.dials.Load()
	}
}

// returned marks its end.
func (s *stage) returned() {
	s.back = s.clock.now()
	for _, a := range s.actors {
		a.tried += a.dials.Load()
		if a.client.Limit != nil {
			a.limit = a.client.Limit()
		}
	}
}

// returnsBy has something bring the database back, and marks the moment when it
// takes connections.
func (s *stage) returnsBy(ctx context.Context, bring func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	brought := make(chan error, 1)
	go func() { brought <- bring() }()
	err := s.cluster.awaitReturn(ctx)
	s.returned()
	return errors.Join(err, <-brought)
}

// measure returns how many heavy statements per second the cluster can do when
// as many are at work as a pool has connections.
func (c *cluster) measure(ctx context.Context, length time.Duration) (float64, error) {
	cfg, err := c.pool(new(atomic.Int64))
	if err != nil {
		return 0, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	limited, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var done atomic.Int64
	var workers sync.WaitGroup
	for range poolSize {
		workers.Go(func() {
			for run(limited, pool, heavy, 1) == nil {
				done.Add(1)
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	return float64(done.Load()) / length.Seconds(), nil
}
