package sqldb

import (
	"context"
	"database/sql/driver"

	sp "github.com/sessionproxy/sessionproxy"
)

// A transaction is alone if no call ends with it, because no interceptor has
// anything to do when it ends, or none is on. The call of its BEGIN is free again
// at once.

// beganAlone notes an open transaction that is alone.
func (c *conn) beganAlone(tx driver.Tx) {
	c.alone = beginning{driverTx: tx}
	c.begun = &c.alone
}

// beginAlone begins a transaction without a call, as every interceptor is off.
func (c *conn) beginAlone(ctx context.Context, opts driver.TxOptions) (context.Context, driver.Tx, error) {
	c.driver.unsent = false
	tx, err := c.driver.BeginTx(ctx, opts)
	if err != nil {
		return ctx, nil, c.judged(ctx, sp.OpBegin, err)
	}
	c.beganAlone(tx)
	return ctx, tx, nil
}

// endsAlone reports whether op, a COMMIT or ROLLBACK, needs no call either.
func (c *conn) endsAlone(ctx context.Context, op sp.Op) bool {
	if c.begun != &c.alone || c.failed != nil || !c.passes(ctx, op) {
		return false
	}
	c.driver.unsent = false
	return true
}

// endedAlone takes note of the end of a transaction that needed no call.
func (c *conn) endedAlone(ctx context.Context, op sp.Op, err error) error {
	if err != nil {
		err = c.judged(ctx, op, err)
	}
	c.finishTx(err)
	return err
}

// judged judges the error of an operation that was performed without a call, as
// its call would have done, and returns what the caller gets.
func (c *conn) judged(ctx context.Context, op sp.Op, err error) error {
	unsent := c.driver.unsent
	s := c.start(ctx, op, "", nil)
	c.driver.unsent = unsent
	if op == sp.OpCommit {
		err = s.committed(ctx, err)
	} else {
		s.judge(ctx, err, op.Phase())
	}
	s.free()
	return err
}
