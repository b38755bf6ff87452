package orm

import (
	"context"
	"errors"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Flush sends what has changed: rows of added objects are inserted, of changed
// ones updated, of those marked by Delete deleted. Keys and values that the
// database has made are read back. Without a change it does nothing.
//
// If it fails, the transaction, or the innermost savepoint, is rolled back at
// once, and the session can't be used until Rollback is called. A row that
// others have changed or deleted is a [*StaleDataError].
func (s *Session) Flush(ctx context.Context) error { return s.run(ctx, sp.OpSessionFlush, s.flush) }

// flush has three parts: what will be sent is computed, sent, and what came of
// it is written into the objects.
func (s *Session) flush(ctx context.Context) error {
	if s.failed != nil {
		return &pendingRollbackError{s.failed}
	}
	if s.busy {
		return fmt.Errorf("%w: a flush is at work", ErrFlush)
	}
	p, err := newPlan(s.eng.Dialect(), &s.objects)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFlush, err)
	}
	if len(p.changes) == 0 {
		return nil
	}
	s.busy = true
	defer func() { s.busy = false }()
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	results, err := p.perform(ctx, conn)
	if err == nil {
		err = p.apply(s, results)
	}
	if err != nil {
		s.fail(ctx, err)
	}
	return err
}

// fail rolls back what a flush has begun, at once: on some databases the
// transaction would live on with half of it.
func (s *Session) fail(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	s.failed = err
	if s.tx.tx != nil {
		_ = s.tx.tx.Rollback(ctx) // if it fails, so will the session's Rollback
	} else {
		_ = s.conn.Rollback(ctx)
	}
	s.undo(s.tx, s.tx.outer == nil)
	s.tx.clear()
}

// perform sends the changes, in one batch where the database can. It touches
// no object.
func (p *plan) perform(ctx context.Context, conn *engine.Conn) ([]*engine.Result, error) {
	sts := make([]engine.Statement, len(p.changes))
	for i, c := range p.changes {
		sts[i] = &c.statement
	}
	results, err := conn.ExecuteBatch(ctx, sts...)
	if batch, ok := errors.AsType[*engine.BatchError](err); ok && batch.Index < len(p.changes) {
		return nil, p.changes[batch.Index].failed(err)
	}
	if err != nil {
		return nil, fmt.Errorf("orm: flush: %w", err)
	}
	for i, c := range p.changes {
		if err := c.check(p.dialect, results[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// apply writes what came of the changes into the objects and the session.
func (p *plan) apply(s *Session, results []*engine.Result) error {
	for i, c := range p.changes {
		var err error
		switch c.kind {
		case inserts:
			err = c.inserted(s, p.dialect, results[i])
		case updates:
			err = c.updated(s, p.dialect, results[i])
		case deletes:
			c.deleted(s)
		}
		if err != nil {
			return c.failed(err)
		}
	}
	return nil
}

func (c *change) inserted(s *Session, d *engine.Dialect, res *engine.Result) error {
	st := c.st
	before := st.table.Snapshot(st.obj)
	if err := c.readBack(d, res); err != nil {
		return err
	}
	st.status, st.snapshot, st.expired = persistent, c.sent, c.unread
	s.objects.identify(st, identityOf(st.table, c.sent))
	s.tx.added[st] = undo{before: before}
	return nil
}

func (c *change) updated(s *Session, d *engine.Dialect, res *engine.Result) error {
	st := c.st
	if err := c.readBack(d, res); err != nil {
		return err
	}
	id := identityOf(st.table, c.sent)
	switch old := c.replaces; {
	case old != nil: // the row has another object now
		c.gone(s, old)
		st.status = persistent
		s.objects.identify(st, id)
		s.tx.added[st] = undo{before: st.table.Snapshot(st.obj)}
	case id != st.id:
		if _, known := s.tx.keys[st]; !known {
			s.tx.keys[st] = st.id
		}
		s.objects.forget(st)
		s.objects.identify(st, id)
	}
	st.snapshot = c.sent
	st.expired = st.expired || c.unread
	s.tx.modified[st] = true
	return nil
}

func (c *change) deleted(s *Session) { c.gone(s, c.st) }

// gone notes that the row of an object is deleted.
func (c *change) gone(s *Session, st *state) {
	s.objects.forget(st)
	st.status, st.marked = deleted, false
	s.tx.deleted[st] = true
}

// readBack writes what the database has filled in into the object and into the
// row as it is known now.
func (c *change) readBack(d *engine.Dialect, res *engine.Result) error {
	t := c.st.table
	if v := t.Version; v != nil {
		v.Copy(c.st.obj, c.sent)
	}
	if key := t.Key[0]; c.kind == inserts && key.Auto && key.Zero(c.sent) && !d.Features.InsertReturning {
		id, ok := res.LastInsertID()
		if !ok {
			return errors.New("the database does not tell the key that it has generated")
		}
		if err := key.SetInt(c.sent, id); err != nil {
			return err
		}
		key.Copy(c.st.obj, c.sent)
	}
	if len(c.returning) == 0 {
		return nil
	}
	row, err := res.One()
	if err != nil {
		return err
	}
	plan, err := planOf(d, t, c.returning)
	if err != nil {
		return err
	}
	at := &state{table: t, obj: c.sent}
	if err := plan.Scan(row, at.object()); err != nil {
		return err
	}
	for _, i := range c.returning {
		t.Columns[i].Copy(c.st.obj, c.sent)
	}
	return nil
}

// planOf returns how rows of these columns are read into objects of a table.
func planOf(d *engine.Dialect, t *mapping.Table, cols []int) (*scan.Type, error) {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = t.Columns[c].Name
	}
	if d.NativeScan {
		return scan.PlanOf(t.Type, names)
	}
	return scan.PlanOf(t.Type, names, scan.WithConversions())
}
