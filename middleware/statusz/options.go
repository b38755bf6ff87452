package statusz

import (
	"errors"
	"fmt"
	"time"
)

// Option configures a [Page].
type Option interface{ apply(c *config) error }

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	title     string
	slowAfter time.Duration
	refresh   time.Duration // 0: never
	text      bool
	sources
}

func defaultConfig() config {
	return config{title: "Database calls", slowAfter: 500 * time.Millisecond, refresh: 2 * time.Second, text: true}
}

// WithTitle sets the page's heading, such as the service's name. The default
// is "Database calls".
func WithTitle(title string) Option {
	return optionFunc(func(c *config) error {
		if title == "" {
			return errors.New(`statusz: WithTitle(""): want a title`)
		}
		c.title = title
		return nil
	})
}

// WithSlowThreshold sets how long a call has to take to be listed as slow,
// above 0. The default is half a second. A query is timed until its rows are
// closed, BEGIN until the transaction has begun.
func WithSlowThreshold(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("statusz: WithSlowThreshold(%v): want more than 0", d)
		}
		c.slowAfter = d
		return nil
	})
}

// WithRefresh sets the pause between refreshes of a page in a browser that runs
// scripts, a tenth of a second or longer; 0 for none. The default is two
// seconds. A hidden page does not refresh.
func WithRefresh(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < 0 || d > 0 && d < 100*time.Millisecond {
			return fmt.Errorf("statusz: WithRefresh(%v): want 0, or 100ms or more", d)
		}
		c.refresh = d
		return nil
	})
}

// WithoutQueryText leaves out SQL text, which otherwise is shown without its
// literals. Summaries, such as "SELECT users", remain.
func WithoutQueryText() Option {
	return optionFunc(func(c *config) error {
		c.text = false
		return nil
	})
}
