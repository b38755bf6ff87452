package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// dbtx is what a repository needs: pools and transactions of pgx have it, with
// the pipeline and without.
type dbtx interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

// stock is the repository of what there is to sell.
type stock struct{ db dbtx }

type item struct {
	Name     string
	Price    int64 // in cents
	Quantity int64
}

// create makes the table.
func (s stock) create(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `CREATE TABLE stock (
		name     text   PRIMARY KEY,
		price    bigint NOT NULL,
		quantity bigint NOT NULL CHECK (quantity >= 0))`)
	return err
}

// load adds many items at once and returns how many.
func (s stock) load(ctx context.Context, items []item) (int64, error) {
	return s.db.CopyFrom(ctx, pgx.Identifier{"stock"}, []string{"name", "price", "quantity"},
		pgx.CopyFromSlice(len(items), func(i int) ([]any, error) {
			return []any{items[i].Name, items[i].Price, items[i].Quantity}, nil
		}))
}

// reprice changes prices in one round trip, all of them or none.
func (s stock) reprice(ctx context.Context, prices map[string]int64) error {
	batch := &pgx.Batch{}
	for name, price := range prices {
		batch.Queue("UPDATE stock SET price = $2 WHERE name = $1", name, price).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() == 0 {
				return errors.New(name + " is not sold here")
			}
			return nil
		})
	}
	return s.db.SendBatch(ctx, batch).Close()
}

// cheaperThan returns items by their price.
func (s stock) cheaperThan(ctx context.Context, price int64) ([]item, error) {
	rows, err := s.db.Query(ctx, "SELECT name, price, quantity FROM stock WHERE price < $1 ORDER BY price, name", price)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[item])
}

// quantity returns how many of an item there are.
func (s stock) quantity(ctx context.Context, name string) (n int64, err error) {
	err = s.db.QueryRow(ctx, "SELECT quantity FROM stock WHERE name = $1", name).Scan(&n)
	return n, err
}

// setQuantity says how many of an item there are.
func (s stock) setQuantity(ctx context.Context, name string, n int64) error {
	_, err := s.db.Exec(ctx, "UPDATE stock SET quantity = $2 WHERE name = $1", name, n)
	return err
}
