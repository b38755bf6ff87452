package pgxfaults

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sessionproxy/sessionproxy/sptest"
	"github.com/sessionproxy/sessionproxy/sptest/internal/pgprovoke"
)

// New returns the errors of pgx. It fails the test if one of them can't be provoked.
func New(t testing.TB) sptest.Errors {
	t.Helper()
	e, err := provoked()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var provoked = sync.OnceValues(func() (sptest.Errors, error) { return pgprovoke.Provoke("pgx", ask) })

func ask(url, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, text)
	return err
}
