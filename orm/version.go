package orm

import (
	"context"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
)

// An object that was read without its row's version can be changed all the same:
// the version is read when the change is sent, in the same transaction.

// where returns the row that finds an object's: a copy, if its version is yet to
// be read.
func (p *plan) where(st *state) unsafe.Pointer {
	if st.partial {
		return st.table.Snapshot(st.snapshot)
	}
	return st.snapshot
}

// learn notes that a change of the row of st needs its version.
func (p *plan) learn(c *change, st *state) {
	if st.partial {
		p.partial = append(p.partial, c)
	}
}

// learnVersion reads the version of a change's row. If the row is gone, the
// change will find none either.
func (c *change) learnVersion(ctx context.Context, conn *engine.Conn) error {
	t := c.st.table
	row := t.New()
	for _, k := range t.Key {
		k.Copy(row, c.where)
	}
	found, err := selectRow(ctx, conn, t, row, "")
	if err != nil {
		return c.failed(err)
	}
	if !found {
		return nil
	}
	t.Version.Copy(c.where, row)
	if c.kind != updates {
		return nil
	}
	return t.Version.SetInt(c.sent, t.Version.Int(row)+1)
}
