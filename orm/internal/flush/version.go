package flush

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// where returns the row that finds an object's: a copy, if its version is yet to
// be read.
func (p *Plan) where(st *identity.State) memory.Pointer {
	if st.Partial {
		return st.Table.Snapshot(st.Snapshot)
	}
	return st.Snapshot
}

// learn notes that a change of the row of st needs its version.
func (p *Plan) learn(c *change, st *identity.State) {
	if st.Partial {
		p.partial = append(p.partial, c)
	}
}

// learnVersion reads the version of a change's row. If the row is gone, the
// change will find none either.
func (c *change) learnVersion(ctx context.Context, conn *engine.Conn) error {
	t := c.st.Table
	row := t.New()
	for _, k := range t.Key {
		k.Copy(row, c.where)
	}
	found, err := dml.SelectRow(ctx, conn, t, row, "")
	if err != nil {
		return c.failed(err)
	}
	if !found {
		return nil
	}
	t.Version.Copy(c.where, row)
	if c.found != nil {
		t.Version.Copy(c.found, row)
	}
	if c.kind != Update {
		return nil
	}
	return t.Version.SetInt(c.sent, t.Version.Int(row)+1)
}
