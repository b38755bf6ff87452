package engine

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// A TxOption sets a property of transactions.
type TxOption interface{ applyTx(c *txConfig) error }

type txOptionFunc func(c *txConfig) error

func (f txOptionFunc) applyTx(c *txConfig) error { return f(c) }

type txConfig struct {
	backend.TxOptions
	autocommit bool
}

func newTxConfig(opts []TxOption) (txConfig, error) {
	c := txConfig{}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.applyTx(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// WithIsolation sets the isolation level: one of database/sql's. By default it
// is the database's own. A level that the database does not have is an error
// when the transaction begins.
func WithIsolation(level sql.IsolationLevel) TxOption {
	return txOptionFunc(func(c *txConfig) error {
		if level < sql.LevelDefault || level > sql.LevelLinearizable {
			return fmt.Errorf("engine: WithIsolation: %d is no isolation level", int(level))
		}
		c.Isolation = level
		return nil
	})
}

// WithReadOnly makes transactions read-only: the database refuses a write. On
// SQLite they do not wait for the writing transaction.
func WithReadOnly() TxOption {
	return txOptionFunc(func(c *txConfig) error {
		c.ReadOnly = true
		return nil
	})
}

// WithAutocommit is an option of [Engine.Connect]: no transaction begins
// automatically on the connection, and a statement outside one is committed at
// once. Use it for statements that can't run in a transaction.
func WithAutocommit() TxOption {
	return txOptionFunc(func(c *txConfig) error {
		c.autocommit = true
		return nil
	})
}

// errAutocommit is the error of WithAutocommit where a transaction begins.
var errAutocommit = errors.New("engine: WithAutocommit: is an option of Connect: a transaction commits when it is told to")
