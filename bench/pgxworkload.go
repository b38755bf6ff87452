package bench

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A PGXWorkload is one operation of pgx, performed again and again.
type PGXWorkload struct {
	// Name is what the table calls it.
	Name string
	// Do performs it, and checks what comes back.
	Do func(ctx context.Context, db PGX) error
	// Undo is performed after each run, outside of what is measured; it may be nil.
	Undo func(ctx context.Context, db PGX) error
}

// PGXWorkloads are the operations of pgx that are measured.
var PGXWorkloads = []PGXWorkload{
	{Name: "pgx: SELECT 1", Do: selectOne},
	{Name: "pgx: exec", Do: update},
	{Name: "pgx: 1,000 rows", Do: selectItems},
	{Name: "pgx: batch of 100", Do: batchOfItems},
	{Name: "pgx: COPY of 100,000 rows", Do: copyItems, Undo: forgetCopied},
}

func selectOne(ctx context.Context, db PGX) error {
	var n int32
	return db.QueryRow(ctx, pgxOne).Scan(&n)
}

func update(ctx context.Context, db PGX) error {
	tag, err := db.Exec(ctx, pgxUpdate, int64(1))
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("bench: %s", tag)
	}
	return err
}

func selectItems(ctx context.Context, db PGX) error {
	rows, err := db.Query(ctx, pgxItems)
	if err != nil {
		return err
	}
	defer rows.Close()
	var id int64
	var name string
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if n != pgxRows {
		return fmt.Errorf("bench: %d rows", n)
	}
	return nil
}

func batchOfItems(ctx context.Context, db PGX) error {
	batch := &pgx.Batch{QueuedQueries: make([]*pgx.QueuedQuery, 0, pgxBatch)}
	for i := range pgxBatch {
		batch.Queue(pgxItem, int64(i))
	}
	results := db.SendBatch(ctx, batch)
	var id int64
	var name string
	for range pgxBatch {
		if err := results.QueryRow().Scan(&id, &name); err != nil {
			_ = results.Close()
			return err
		}
	}
	return results.Close()
}

func copyItems(ctx context.Context, db PGX) error {
	row, name := []any{nil, nil}, any("item")
	i := int64(0)
	n, err := db.CopyFrom(ctx, pgx.Identifier{pgxTable}, []string{"id", "name"}, pgx.CopyFromFunc(func() ([]any, error) {
		if i == pgxCopyRows {
			return nil, nil
		}
		row[0], row[1] = i, name
		i++
		return row, nil
	}))
	if err == nil && n != pgxCopyRows {
		err = fmt.Errorf("bench: %d rows were copied", n)
	}
	return err
}

const pgxForget = "TRUNCATE " + pgxTable

func forgetCopied(ctx context.Context, db PGX) error {
	_, err := db.Exec(ctx, pgxForget)
	return err
}
