package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sessionproxy/sessionproxy/breaker"
)

// customers is how many customers ask for the stock while it is away.
const customers = 8

// outage takes the database's folder away, so that SQLite can't open the file,
// and puts it back.
func (s *shop) outage(ctx context.Context) error {
	// Open files would survive the move: have each call open a connection.
	s.db.SetMaxIdleConns(0)
	away := s.folder + ".away"
	if err := os.Rename(s.folder, away); err != nil {
		return err
	}
	var retryAfter time.Duration
	for range customers {
		began := time.Now()
		_, err := s.quantities(ctx)
		if err == nil {
			return errors.New("the database is away, but it answered")
		}
		if open, ok := errors.AsType[*breaker.OpenError](err); ok {
			s.refused++
			s.refusing += time.Since(began)
			retryAfter = open.RetryAfter
		}
	}
	if s.refused == 0 {
		return errors.New("the breaker refused nothing")
	}
	if err := os.Rename(away, s.folder); err != nil {
		return err
	}
	select {
	case <-time.After(retryAfter):
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, err := s.quantities(ctx); err != nil {
		return fmt.Errorf("the database is back, but: %w", err)
	}
	return nil
}
