package sptest

import (
	"fmt"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// Call is what is known of a call on its way to the database. Unlike
// [sessionproxy.Call] it may be kept.
type Call struct {
	// Op is the operation.
	Op sessionproxy.Op
	// Summary is the statement's summary, such as "UPDATE account"; that of an
	// operation without SQL text is the operation's name, such as "COMMIT".
	Summary string
	// Text is the SQL text.
	Text string
	// InTx says that it runs inside an open transaction.
	InTx bool
	// Unit is the name of the unit of work that it runs in, as
	// [sessionproxy.WithCallName] set it.
	Unit string
	// InUnit says that it runs in a unit of work.
	InUnit bool
	// Writes says that it may write: its SQL text is not certain to only read.
	Writes bool
}

// callOf describes a call.
func callOf(c *sessionproxy.Call) Call {
	out := Call{Op: c.Op, Summary: c.Op.String(), Text: c.Text, InTx: c.InTx}
	if u := c.Unit(); u != nil {
		out.InUnit, out.Unit = true, u.Marks.Name
	}
	if c.Text == "" {
		out.Writes = c.Op == sessionproxy.OpBatch || c.Op == sessionproxy.OpCopy
		return out
	}
	d := sqltext.Generic
	if c.Target != nil {
		d = sqltext.DialectOf(string(c.Target.System))
	}
	out.Writes = !c.Op.ReadsOnly() && !sqltext.AccessOf(d, c.Text).ReadOnly
	if s := sqltext.Summary(d, c.Text); s != "" {
		out.Summary = s
	}
	return out
}

// String returns the summary.
func (c Call) String() string {
	if c.Op == sessionproxy.OpPrepare {
		return fmt.Sprintf("prepare %s", c.Summary)
	}
	return c.Summary
}
