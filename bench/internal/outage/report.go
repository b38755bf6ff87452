package outage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Options say how a run is made.
type Options struct {
	// Rounds is how often each scenario happens.
	Rounds int
	// Before and After are how long subjects are under load before the fault
	// and after the database's return.
	Before, After time.Duration
	// Log gets a line per round; nil: none.
	Log func(line string)
}

// A Report is what came of a scenario.
type Report struct {
	// Scenario is what happened.
	Scenario Scenario
	// Options are those of the run.
	Options Options
	// Capacity is how many heavy statements per second the server could do; 0
	// if that was not asked.
	Capacity float64
	// Rows has the figures of each subject, in their order.
	Rows []Row

	first []trial // those of the first round, to be drawn
}

// A Row is one subject in a report.
type Row struct {
	// Subject is its name.
	Subject string
	// Figures are its figures.
	Figures
}

// Run lets a scenario happen as often as the options say.
func Run(ctx context.Context, scenario Scenario, subjects []Subject, o Options) (Report, error) {
	r := Report{Scenario: scenario, Options: o}
	if o.Rounds < 1 || len(subjects) == 0 {
		return r, errors.New("outage: want at least one round and one subject")
	}
	trials := make([][]trial, len(subjects))
	var c *cluster
	var err error
	defer func() {
		if c != nil {
			_ = c.close() // the watchdog does it if this can't
		}
	}()
	for round := range o.Rounds {
		if c != nil && scenario.Standby {
			if err := c.close(); err != nil {
				return r, err
			}
			c = nil
		}
		if c == nil {
			if c, err = newCluster(ctx, scenario.Standby); err != nil {
				return r, err
			}
		}
		if scenario.InTurn && r.Capacity == 0 {
			if r.Capacity, err = c.measure(ctx, time.Second); err != nil {
				return r, err
			}
		}
		turns := groups(subjects, scenario.InTurn)
		for i := range turns {
			i = (i + round) % len(turns) // each round begins with another
			got, err := r.round(ctx, c, turns[i], uint64(round))
			if err != nil {
				return r, err
			}
			for j, t := range got {
				trials[i+j] = append(trials[i+j], t)
			}
		}
		if o.Log != nil {
			o.Log(fmt.Sprintf("%s: round %d of %d", scenario.Name, round+1, o.Rounds))
		}
	}
	for i, s := range subjects {
		r.Rows = append(r.Rows, Row{s.Name, figuresOf(trials[i])})
		r.first = append(r.first, trials[i][0])
	}
	return r, nil
}

// groups returns which subjects take the stage together.
func groups(subjects []Subject, inTurn bool) [][]Subject {
	if !inTurn {
		return [][]Subject{subjects}
	}
	var out [][]Subject
	for i := range subjects {
		out = append(out, subjects[i:i+1])
	}
	return out
}

func (r *Report) round(ctx context.Context, c *cluster, subjects []Subject, seed uint64) ([]trial, error) {
	s := &stage{scenario: r.Scenario, cluster: c, seed: seed, capacity: r.Capacity}
	defer s.leave()
	if err := s.enter(ctx, subjects); err != nil {
		return nil, err
	}
	return s.play(ctx, r.Options.Before, r.Options.After)
}
