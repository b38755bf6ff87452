package nplusone

import "fmt"

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct{ threshold int }

func defaultConfig() config { return config{threshold: 10} }

// WithThreshold sets how many statements with one summary in one scope are reported,
// from 2. The default is 10.
func WithThreshold(n int) Option {
	return optionFunc(func(c *config) error {
		if n < 2 {
			return fmt.Errorf("nplusone: WithThreshold(%d): want 2 or more", n)
		}
		c.threshold = n
		return nil
	})
}
