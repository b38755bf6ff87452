package logging

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

// levels are the levels of records by outcome.
type levels struct{ success, warning, failure slog.Level }

type config struct {
	levels    levels
	slow      time.Duration // 0: nothing is slow
	messages  bool
	text      bool
	textLimit int // bytes; 0: none
	sampling  sampling
}

func defaultConfig() config {
	return config{
		levels:    levels{slog.LevelDebug, slog.LevelWarn, slog.LevelError},
		text:      true,
		textLimit: telemetry.MaxLogged,
		sampling:  sampling{first: 10, then: 100},
	}
}

// WithLevels sets the levels of successes, warnings and failures, in ascending
// order; levels may be equal. The default is debug, warn and error.
func WithLevels(success, warning, failure slog.Level) Option {
	return optionFunc(func(c *config) error {
		if success > warning || warning > failure {
			return fmt.Errorf("logging: WithLevels(%v, %v, %v): want ascending levels", success, warning, failure)
		}
		c.levels = levels{success, warning, failure}
		return nil
	})
}

// WithSlowThreshold sets how long a call may take, above 0, before its success
// is logged as slow. By default none is. A query is timed until its rows are
// closed, a unit of work until its COMMIT.
func WithSlowThreshold(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("logging: WithSlowThreshold(%v): want more than 0", d)
		}
		c.slow = d
		return nil
	})
}

// WithErrorMessages adds error messages as exception.message, which is off by
// default: databases quote values of rows and statements in them ("Key
// (email)=(…) already exists").
func WithErrorMessages() Option {
	return optionFunc(func(c *config) error {
		c.messages = true
		return nil
	})
}

// WithoutQueryText leaves out db.query.text; db.query.summary remains. By
// default the text is included, as written if it has parameters and arguments,
// otherwise with a question mark in place of each literal.
func WithoutQueryText() Option {
	return optionFunc(func(c *config) error {
		c.text = false
		return nil
	})
}

// WithQueryTextLimit truncates db.query.text to at most n bytes, at a character
// boundary. The default is 4096; 0 means no limit.
func WithQueryTextLimit(n int) Option {
	return optionFunc(func(c *config) error {
		if n < 0 {
			return fmt.Errorf("logging: WithQueryTextLimit(%d): want 0 or more", n)
		}
		c.textLimit = n
		return nil
	})
}

// WithSampling sets how many records of one kind, with the same message,
// operation and error.type, are written above the level of success: each second
// the first ones, 1 or more, and after those one in then, or none if then is 0.
// A record's sessionproxy.suppressed says how many of its kind were dropped
// before it. The default is the first 10, then one in 100.
func WithSampling(first, then int) Option {
	return optionFunc(func(c *config) error {
		if first < 1 || then < 0 {
			return fmt.Errorf("logging: WithSampling(%d, %d): want 1 or more, and 0 or more", first, then)
		}
		c.sampling = sampling{first: int64(first), then: int64(then)}
		return nil
	})
}

// WithoutSampling writes every record: one per call while a database is down.
func WithoutSampling() Option {
	return optionFunc(func(c *config) error {
		c.sampling = sampling{}
		return nil
	})
}
