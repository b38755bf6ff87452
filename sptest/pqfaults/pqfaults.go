package pqfaults

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/sessionproxy/sessionproxy/sptest"
	"github.com/sessionproxy/sessionproxy/sptest/internal/pgprovoke"
)

// New returns the errors of lib/pq. It fails the test if one of them can't be
// provoked.
func New(t testing.TB) sptest.Errors {
	t.Helper()
	e, err := provoked()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var provoked = sync.OnceValues(func() (sptest.Errors, error) { return pgprovoke.Provoke("lib/pq", ask) })

// ask runs a statement without database/sql, which would send it again.
func ask(url, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	connector, err := pq.NewConnector(url)
	if err != nil {
		return fmt.Errorf("pqfaults: %w", err)
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = c.(driver.ExecerContext).ExecContext(ctx, text, nil)
	return err
}
