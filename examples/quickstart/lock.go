package main

import (
	"context"
	"database/sql"
)

// sellUnderLock sells a lamp while another connection, which knows nothing of
// the pipeline, is about to sell one and holds the write lock: the transaction
// meets SQLITE_BUSY. The other one commits before the replay, which has to read
// the stock anew.
func (s *shop) sellUnderLock(ctx context.Context) error {
	before, err := s.quantities(ctx)
	if err != nil {
		return err
	}
	other, err := sql.Open("sqlite", s.dsn)
	if err != nil {
		return err
	}
	defer other.Close()
	theirs, err := other.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer theirs.Rollback()
	if _, err := theirs.ExecContext(ctx, "UPDATE stock SET quantity = quantity - 1 WHERE item = 'lamp'"); err != nil {
		return err
	}
	err = s.sell(ctx, "lamp", 1, func(performance int) error {
		if performance == 2 {
			return theirs.Commit()
		}
		return nil
	})
	if err != nil {
		return err
	}
	after, err := s.quantities(ctx)
	s.sold = before["lamp"] - after["lamp"]
	return err
}
