package dml

import (
	"context"
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// ScanPlan returns how rows of these columns are read into objects of a table.
func ScanPlan(d *engine.Dialect, t *mapping.Table, cols []int) (*scan.Type, error) {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = t.Columns[c].Name
	}
	if d.NativeScan {
		return scan.PlanOf(t.Type, names)
	}
	return scan.PlanOf(t.Type, names, scan.WithConversions())
}

// wholePlan is the [ScanPlan] of all columns.
func (x *Statements) wholePlan() (*scan.Type, error) {
	if plan := x.whole.Load(); plan != nil {
		return plan, nil
	}
	plan, err := ScanPlan(x.dialect, x.Table, x.Table.All())
	if err == nil {
		x.whole.Store(plan)
	}
	return plan, err
}

// SelectRow reads a row by the key that is in obj, into obj. lock, such as " FOR
// UPDATE", is left out where the database has none.
func SelectRow(ctx context.Context, conn *engine.Conn, t *mapping.Table, obj memory.Pointer, lock string) (found bool, err error) {
	d := conn.Dialect()
	if !d.Features.ForUpdate {
		lock = ""
	}
	args := Args{}
	args.Add(obj, t.Key...)
	cur, err := conn.Query(ctx, &Bound{Text: For(d, t).ByKey(lock), Args: args.List})
	if err != nil {
		return false, fmt.Errorf("orm: get from %s: %w", t.FullName(), err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	if !cur.Next() {
		return false, cur.Err()
	}
	plan, err := For(d, t).wholePlan()
	if err != nil {
		return false, err
	}
	if err := plan.Scan(cur, t.Object(obj)); err != nil {
		return false, fmt.Errorf("orm: get from %s: %w", t.FullName(), err)
	}
	return true, nil
}
