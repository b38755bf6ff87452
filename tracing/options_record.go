package tracing

import (
	"errors"
	"fmt"
)

// WithoutQueryText leaves db.query.text out of spans. The summary remains.
func WithoutQueryText() Option {
	return optionFunc(func(c *config) error {
		c.text = textNone
		return nil
	})
}

// WithSanitizedQueryText replaces the literals in every SQL text. The default,
// following the semantic conventions, is to do so only for text without
// parameters or arguments: code that uses parameters keeps values out of the
// text.
func WithSanitizedQueryText() Option {
	return optionFunc(func(c *config) error {
		c.text = textSanitized
		return nil
	})
}

// WithQueryTextLimit truncates db.query.text, and the values of recorded
// parameters, to n bytes, at a character boundary. The default is 4096; 0 means
// no limit. A negative n is an error.
func WithQueryTextLimit(n int) Option {
	return optionFunc(func(c *config) error {
		if n < 0 {
			return fmt.Errorf("tracing: WithQueryTextLimit: %d is negative", n)
		}
		c.textLimit = n
		return nil
	})
}

// WithQueryParameters records the values of these arguments on spans, as
// db.query.parameter.<key>. A key is a named argument's name, also of one in
// pgx.NamedArgs, or the index of a positional one, from 0, in decimal. Values can be personal data: none is
// recorded by default, and never those of a batch. An empty key is an error.
func WithQueryParameters(keys ...string) Option {
	return optionFunc(func(c *config) error {
		for _, key := range keys {
			if key == "" {
				return errors.New("tracing: WithQueryParameters: a key is empty")
			}
			if c.parameters == nil {
				c.parameters = make(map[string]bool)
			}
			c.parameters[key] = true
		}
		return nil
	})
}

// WithErrorStatus lets f decide which errors are failures: only those set a
// span's status and the attribute error.type, on metrics too. f is called with
// an error that is not nil and must be safe for concurrent use. By default
// every error is a failure except [database/sql.ErrNoRows],
// [database/sql/driver.ErrSkip], and the error by which a unit of work's own
// function gave it up (class "caller" of package fault). Nil is an error.
func WithErrorStatus(f func(err error) bool) Option {
	return optionFunc(func(c *config) error {
		if f == nil {
			return errors.New("tracing: WithErrorStatus: the function is nil")
		}
		c.failure = f
		return nil
	})
}

// WithoutCanceledErrors stops counting a call whose caller cancelled its
// context as a failure, which is the default. An expired deadline, and a
// statement cancelled by someone else, are always failures.
func WithoutCanceledErrors() Option {
	return optionFunc(func(c *config) error {
		c.canceled = false
		return nil
	})
}

// WithErrorMessages records the messages of errors as the description of a
// span's status. The default is the class of fault and the database's code:
// database messages contain row values ("Key (email)=(…) already exists").
func WithErrorMessages() Option {
	return optionFunc(func(c *config) error {
		c.messages = true
		return nil
	})
}

// WithRowsReturned records how many rows a query returned to its caller: on
// spans as the attribute db.response.returned_rows, and with a meter provider
// as the histogram db.client.response.returned_rows. Both are opt-in and in
// development in the semantic conventions.
func WithRowsReturned() Option {
	return optionFunc(func(c *config) error {
		c.rows = true
		return nil
	})
}
