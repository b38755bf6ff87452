package flush

import (
	"context"
	"errors"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Perform sends the changes: in one batch where the database can, in several if
// keys that the database makes are needed by others. It touches no object: what
// comes back is kept in the changes.
func (p *Plan) Perform(ctx context.Context, conn *engine.Conn) error {
	for _, c := range p.partial {
		if err := c.learnVersion(ctx, conn); err != nil {
			return err
		}
	}
	for _, c := range p.unsaid {
		var err error
		if c.text, err = dml.For(p.dialect, c.st.Table).LearnDefaults(ctx, conn, c.shape, c.unsaid); err != nil {
			return c.failed(err)
		}
	}
	for rest := p.changes; len(rest) > 0; {
		n := 1
		for n < len(rest) && !rest[n].waits() {
			n++
		}
		if err := p.send(ctx, conn, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// send sends changes that don't wait for each other.
func (p *Plan) send(ctx context.Context, conn *engine.Conn, changes []*change) error {
	groups, err := p.group(changes)
	if err != nil {
		return err
	}
	sts := make([]engine.Statement, len(groups))
	for i := range groups {
		sts[i] = &groups[i].Bound
	}
	results, err := conn.ExecuteBatch(ctx, sts...)
	if batch, ok := errors.AsType[*engine.BatchError](err); ok && batch.Index < len(groups) {
		return groups[batch.Index].changes[0].failed(err)
	}
	if err != nil {
		return fmt.Errorf("orm: flush: %w", err)
	}
	for i := range groups {
		if err := groups[i].received(p.dialect, results[i]); err != nil {
			return err
		}
	}
	return nil
}

// group is changes that are one statement: several rows of one INSERT, or one
// change.
type group struct {
	dml.Bound
	changes []*change
}

// An INSERT has this many rows at most, and this many parameters. Few sizes
// make few texts, which are prepared once. Beyond this more rows gain little.
const (
	manyRows  = 512
	someRows  = 32
	fewRows   = 8
	maxParams = 8192
	// The driver of SQLite looks for each parameter among all of them.
	maxParamsSQLite = 256
)

// group binds the changes and puts those together that one INSERT can write.
func (p *Plan) group(changes []*change) ([]group, error) {
	groups := make([]group, 0, len(changes))
	args := dml.Args{Arrays: dml.HasArrays(p.dialect)}
	run := 0 // how many changes at the start are the same
	for len(changes) > 0 {
		if run == 0 {
			run = alike(changes)
		}
		n := p.rows(changes)
		args.Refs = args.Arrays && (n >= someRows || run >= someRows && changes[0].kind != Insert) // the engine makes arrays of them
		args.Room(n*changes[0].width(), run)
		g := group{changes: changes[:n]}
		g.Text = changes[0].text
		if n > 1 {
			g.Text = dml.For(p.dialect, changes[0].st.Table).Insert(changes[0].shape, n)
		}
		for _, c := range changes[:n] {
			if err := c.bind(&args); err != nil {
				return nil, c.failed(err)
			}
		}
		g.Args = args.Take()
		groups = append(groups, g)
		changes, run = changes[n:], max(0, run-n)
	}
	return groups, nil
}

// alike returns how many changes at the start write the same statement.
func alike(changes []*change) int {
	n := 1
	for n < len(changes) && changes[n].text == changes[0].text && changes[n].kind == changes[0].kind {
		n++
	}
	return n
}

// rows returns how many of the changes at the start make one statement.
func (p *Plan) rows(changes []*change) int {
	c := changes[0]
	if c.kind != Insert || len(c.shape.Cols) == 0 || !p.distinct(c) {
		return 1
	}
	n := 1
	for n < len(changes) && n < manyRows && changes[n].kind == Insert && changes[n].shape == c.shape && changes[n].st.Table == c.st.Table {
		n++
	}
	limit := maxParams
	if p.dialect.System == sp.SQLite {
		limit = maxParamsSQLite
	}
	for _, size := range [...]int{manyRows, someRows, fewRows} {
		if n >= size && size*len(c.shape.Cols) <= limit {
			return size
		}
	}
	return 1
}

// distinct reports whether what an INSERT of several rows gives back can be told
// apart: by keys that the application gave, or by the order of those that the
// database has counted.
func (p *Plan) distinct(c *change) bool {
	t := c.st.Table
	if key := t.Key[0]; key.Auto && key.Zero(c.sent) {
		return len(c.shape.Returning) > 0
	}
	for _, k := range t.Key {
		if k.Default && k.Zero(c.sent) {
			return false
		}
	}
	return true
}

// received keeps what came back of a group.
func (g *group) received(d *engine.Dialect, res *engine.Result) error {
	c := g.changes[0]
	if len(g.changes) > 1 {
		if err := g.readMany(d, res); err != nil {
			return c.failed(err)
		}
	} else {
		if err := c.check(d, res); err != nil {
			return err
		}
		if err := c.read(d, res); err != nil {
			return c.failed(err)
		}
	}
	for _, c := range g.changes {
		c.performed = true
		c.st.Keyed()
	}
	return nil
}

// read keeps what the database has filled in into one row.
func (c *change) read(d *engine.Dialect, res *engine.Result) error {
	t := c.st.Table
	if key := t.Key[0]; c.kind == Insert && key.Auto && key.Zero(c.sent) && !d.Features.InsertReturning {
		id, ok := res.LastInsertID()
		if !ok {
			return errors.New("the database does not tell the key that it has generated")
		}
		return key.SetInt(c.sent, id)
	}
	if c.shape == nil || len(c.shape.Returning) == 0 {
		return nil
	}
	row, err := res.One()
	if err != nil {
		return err
	}
	plan, err := dml.ScanPlan(d, t, c.shape.Returning)
	if err != nil {
		return err
	}
	return plan.Scan(row, t.Object(c.sent))
}

// readMany keeps what the database has filled in into several rows. Keys that it
// has counted are in the order of the rows, or nobody could tell which is whose;
// other rows are told by their keys.
func (g *group) readMany(d *engine.Dialect, res *engine.Result) error {
	c := g.changes[0]
	t := c.st.Table
	cols := dml.For(d, t).ReturningMany(c.shape)
	if len(cols) == 0 {
		return nil
	}
	plan, err := dml.ScanPlan(d, t, cols)
	if err != nil {
		return err
	}
	if t.Key[0].Auto && t.Key[0].Zero(c.sent) {
		return g.readCounted(plan, t.Key[0], res)
	}
	return g.readKeyed(plan, cols, res)
}

func (g *group) readCounted(plan *scan.Type, key *mapping.Column, res *engine.Result) error {
	up, down := true, true
	var last int64
	row := new(engine.Row)
	for i, c := range g.changes {
		var ok bool
		var err error
		if *row, ok, err = res.FetchOne(); err != nil || !ok {
			return g.short(i, err)
		}
		if err := plan.Scan(row, c.st.Table.Object(c.sent)); err != nil {
			return err
		}
		n := key.Int(c.sent)
		up, down = up && (i == 0 || n > last), down && (i == 0 || n < last)
		last = n
	}
	if !up && !down {
		return fmt.Errorf("the generated keys came back out of order, so that nobody knows which row has which: %w", ErrFlush)
	}
	return nil
}

// short is the error of fewer rows than were sent.
func (g *group) short(rows int, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%d rows came back of %d: %w", rows, len(g.changes), ErrFlush)
}

func (g *group) readKeyed(plan *scan.Type, cols []int, res *engine.Result) error {
	t := g.changes[0].st.Table
	byKey := make(map[identity.Key]memory.Pointer, len(g.changes))
	for _, c := range g.changes {
		byKey[identity.KeyOf(t, c.sent)] = c.sent
	}
	row := new(engine.Row)
	for i := range g.changes {
		var ok bool
		var err error
		if *row, ok, err = res.FetchOne(); err != nil || !ok {
			return g.short(i, err)
		}
		read := t.New()
		if err := plan.Scan(row, t.Object(read)); err != nil {
			return err
		}
		sent, ok := byKey[identity.KeyOf(t, read)]
		if !ok {
			return fmt.Errorf("a row came back with a key that was not sent: %w", ErrFlush)
		}
		for _, i := range cols {
			t.Columns[i].Copy(sent, read)
		}
	}
	return nil
}
