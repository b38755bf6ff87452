package scan

// Option changes how a plan is made.
type Option interface{ apply(c config) config }

// optionFunc takes and returns the configuration by value, so that asking for
// a plan allocates nothing.
type optionFunc func(c config) config

func (f optionFunc) apply(c config) config { return f(c) }

// config is part of what a plan is found by: it must stay comparable.
type config struct {
	unknown bool // columns without a field are left out
	convert bool
}

func defaultConfig() config { return config{} }

func configOf(opts []Option) config {
	c := defaultConfig()
	for _, o := range opts {
		if o != nil {
			c = o.apply(c)
		}
	}
	return c
}

// WithUnknownIgnored ignores columns without a field. The default is an error,
// because a misspelt name would go unnoticed.
func WithUnknownIgnored() Option {
	return optionFunc(func(c config) config { c.unknown = true; return c })
}

// WithConversions adds conversions that [database/sql.Rows.Scan] lacks. They
// are meant for database/sql drivers, especially those of SQLite and MySQL; pgx
// has its own and is faster without these.
//
//   - [time.Time] takes text in the forms of ISO 8601 that databases write, of
//     SQLite and of [time.Time.String]; whole numbers as seconds since 1970 and
//     others as Julian days, as SQLite's date functions read them; and MySQL's
//     0000-00-00 as the zero time. A text without a zone is in UTC.
//   - bool takes the bytes 0 and 1, as MySQL gives BIT(1).
//   - Arrays of bytes take as many bytes; of 16, also the text of a UUID.
//   - Other types that implement [encoding.TextUnmarshaler] take text.
//   - Other maps, slices, arrays and structs take JSON, as do pointers to them
//     and [database/sql.Null] of them.
//
// Without this option all these are left to the driver.
func WithConversions() Option {
	return optionFunc(func(c config) config { c.convert = true; return c })
}
