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

// WithLevels sets the levels of a success, of what deserves attention, and of
// a failure, in ascending order; two may be the same. The default is debug,
// warn and error.
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
// is logged as slow. By default none is. A query takes until its rows are
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

// WithErrorMessages adds the text of errors as exception.message, which is
// off by default: databases quote values of rows and statements in it
// ("Key (email)=(…) already exists").
func WithErrorMessages() Option {
	return optionFunc(func(c *config) error {
		c.messages = true
		return nil
	})
}

// WithoutQueryText leaves out db.query.text; db.query.summary stays. By
// default the text is there, as written if it has parameters and arguments, and
// otherwise with a question mark in place of each literal.
func WithoutQueryText() Option {
	return optionFunc(func(c *config) error {
		c.text = false
		return nil
	})
}

// WithQueryTextLimit cuts db.query.text to at most n bytes, at the end of a
// character. The default is 4096; 0 means no limit.
func WithQueryTextLimit(n int) Option {
	return optionFunc(func(c *config) error {
		if n < 0 {
			return fmt.Errorf("logging: WithQueryTextLimit(%d): want 0 or more", n)
		}
		c.textLimit = n
		return nil
	})
}

// WithSampling sets which records above the level of success are written when
// they repeat each other, which is when message, operation and error.type are
// the same: each second the first so many, from 1, and then one in so many, or
// none if then is 0. A record tells in sessionproxy.suppressed how many of its
// kind were left out before it. The default is 10, and one in 100.
func WithSampling(first, then int) Option {
	return optionFunc(func(c *config) error {
		if first < 1 || then < 0 {
			return fmt.Errorf("logging: WithSampling(%d, %d): want 1 or more, and 0 or more", first, then)
		}
		c.sampling = sampling{first: int64(first), then: int64(then)}
		return nil
	})
}

// WithoutSampling writes every record. A database that is down then gets one
// per call.
func WithoutSampling() Option {
	return optionFunc(func(c *config) error {
		c.sampling = sampling{}
		return nil
	})
}
