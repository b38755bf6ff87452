package integration_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/integration/internal/ent"
	"github.com/sessionproxy/sessionproxy/integration/internal/ent/item"
)

func entOn(d database, db *sql.DB) *ent.Client {
	name := dialect.MySQL
	switch d.system {
	case sp.PostgreSQL:
		name = dialect.Postgres
	case sp.SQLite:
		name = dialect.SQLite
	}
	return ent.NewClient(ent.Driver(entsql.OpenDB(name, db)))
}

// entSchema guards ent's description of its tables: each Create writes to the
// one that the generated package holds.
var entSchema sync.Mutex

func createEntSchema(ctx context.Context, client *ent.Client) error {
	entSchema.Lock()
	defer entSchema.Unlock()
	return client.Schema.Create(ctx)
}

func TestEntRunsUnchanged(t *testing.T) {
	t.Parallel()
	onEachCompatible(t, func(t *testing.T, d database, db *sql.DB, c *telemetry) {
		if d.system == sp.SQLite {
			// ent wants foreign keys on, on its every connection.
			db.SetMaxOpenConns(1)
			mustExec(t, db, "PRAGMA foreign_keys = on")
		}
		client := entOn(d, db)
		if err := createEntSchema(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		ctx, span := c.under(t)
		made, err := client.Item.CreateBulk(client.Item.Create().SetName("a"), client.Item.Create().SetName("b").SetStock(3)).Save(ctx)
		if err != nil || len(made) != 2 || made[0].ID == made[1].ID {
			t.Fatalf("%+v, error %v", made, err)
		}
		c.spansOf(t, d, span, "INSERT items")
		names, err := client.Item.Query().Where(item.StockGT(0)).Select(item.FieldName).Strings(ctx)
		if err != nil || len(names) != 1 || names[0] != "b" {
			t.Fatalf("%q, error %v", names, err)
		}
		c.spansOf(t, d, span, "SELECT items")
		if err := entTransfer(ctx, client, made[1].ID, made[0].ID); err != nil {
			t.Fatal(err)
		}
		c.spansOf(t, d, span, "UPDATE items", "UPDATE items")
		if moved, err := client.Item.Get(ctx, made[0].ID); err != nil || moved.Stock != 1 {
			t.Errorf("%+v, error %v", moved, err)
		}
		if n, err := client.Item.Delete().Where(item.NameIn("a", "b")).Exec(ctx); n != 2 || err != nil {
			t.Errorf("%d deleted, error %v", n, err)
		}
		if _, err := client.Item.Get(ctx, made[0].ID); !ent.IsNotFound(err) {
			t.Errorf("error %v, want that there is no such item", err)
		}
	})
}

// entTransfer moves one piece from an item to another in a transaction of ent's.
func entTransfer(ctx context.Context, client *ent.Client, from, to int) error {
	tx, err := client.Tx(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := tx.Item.UpdateOneID(from).AddStock(-1).Exec(ctx); err != nil {
		return err
	}
	if err := tx.Item.UpdateOneID(to).AddStock(1).Exec(ctx); err != nil {
		return err
	}
	return tx.Commit()
}
