package integration_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	sp "github.com/sessionproxy/sessionproxy"
)

// bunItem is bun's model.
type bunItem struct {
	bun.BaseModel `bun:"table:items"`

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

func bunOn(d database, db *sql.DB) *bun.DB {
	var dialect schema.Dialect
	switch d.system {
	case sp.PostgreSQL:
		dialect = pgdialect.New()
	case sp.SQLite:
		dialect = sqlitedialect.New()
	default:
		dialect = mysqldialect.New()
	}
	return bun.NewDB(db, dialect)
}

func TestBunRunsUnchanged(t *testing.T) {
	t.Parallel()
	onEachCompatible(t, func(t *testing.T, d database, db *sql.DB, c *telemetry) {
		b := bunOn(d, db)
		if _, err := b.NewCreateTable().Model((*bunItem)(nil)).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, span := c.under(t)
		items := []bunItem{{Name: "a"}, {Name: "b"}}
		if _, err := b.NewInsert().Model(&items).Exec(ctx); err != nil {
			t.Fatal(err)
		}
		c.spansOf(t, d, span, "INSERT items")
		var read []bunItem
		if err := b.NewSelect().Model(&read).Order("name").Scan(ctx); err != nil || len(read) != 2 || read[1].Name != "b" {
			t.Fatalf("%+v, error %v", read, err)
		}
		c.spansOf(t, d, span, "SELECT items")
		err := b.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.NewUpdate().Model(&read[0]).Set("name = ?", "z").WherePK().Exec(ctx); err != nil {
				return err
			}
			_, err := tx.NewDelete().Model(&read[1]).WherePK().Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c.spansOf(t, d, span, "UPDATE items", "DELETE items")
		if n, err := b.NewSelect().Model((*bunItem)(nil)).Where("name = ?", "z").Count(ctx); n != 1 || err != nil {
			t.Errorf("%d rows, error %v", n, err)
		}
	})
}
