package orm

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/schema"
)

// CreateAll creates the tables of these objects' types, and the association
// tables between them, unless they exist; tables that others refer to come
// first. It is for tests and examples. An object is a pointer to its type, such
// as (*User)(nil).
//
// It handles types, keys, references, unique and NOT NULL, and indexes foreign
// keys. The SQL of a default or generated value is taken from the tag; the
// default of a time without one is the current time. It changes no existing
// table: use a migration tool such as goose or atlas for that.
func CreateAll(ctx context.Context, ex engine.Executor, objs ...any) error {
	tables, err := schema.Sort(objs)
	if err != nil {
		return err
	}
	all, err := schema.Create(ex.Dialect(), tables)
	if err != nil {
		return err
	}
	for _, def := range all {
		if _, err := ex.Execute(ctx, dml.Raw(def.Text)); err != nil {
			return fmt.Errorf("orm: create %s: %w", def.Table, err)
		}
	}
	return nil
}

// DropAll drops the tables of these objects' types, with all their rows, and
// the association tables between them, if they exist; tables that refer to
// others go first.
func DropAll(ctx context.Context, ex engine.Executor, objs ...any) error {
	tables, err := schema.Sort(objs)
	if err != nil {
		return err
	}
	for _, def := range schema.Drop(ex.Dialect(), tables) {
		if _, err := ex.Execute(ctx, dml.Raw(def.Text)); err != nil {
			return fmt.Errorf("orm: drop %s: %w", def.Table, err)
		}
	}
	return nil
}
