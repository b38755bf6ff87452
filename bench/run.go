package bench

import (
	"context"
	"database/sql/driver"
	"testing"
)

// Run measures one subject under one workload.
func Run(b *testing.B, subject Subject, load Workload, c driver.Connector) {
	b.Helper()
	db, err := subject.Open(c)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing depends on it
	db.SetMaxOpenConns(1)
	op, err := load.Prepare(db)
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	if subject.Context != nil {
		var cancel context.CancelFunc
		ctx, cancel = subject.Context()
		defer cancel()
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := op(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
