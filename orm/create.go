package orm

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/schema"
)

// CreateAll creates the tables of these objects' types, those that others refer
// to first, and the tables between them, unless they are there: for tests and
// examples. An object is a pointer to its type, such as (*User)(nil).
//
// It knows types, keys, references, unique and NOT NULL, and indexes foreign keys; a default or generated
// value has its expression in the tag, but for times, whose default is the
// moment. It changes no table that exists: real migrations are for tools such
// as goose or atlas.
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

// DropAll drops the tables of these objects' types, with all their rows, if they
// are there, and those between them; those that refer to others first.
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
