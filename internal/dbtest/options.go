package dbtest

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
