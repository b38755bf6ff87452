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
	defer db.Close()
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

// RunPGX measures one subject of pgx under one workload.
func RunPGX(b *testing.B, subject PGXSubject, load PGXWorkload, db PGX) {
	b.Helper()
	ctx, cancel := subject.Context()
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if err := load.Do(ctx, db); err != nil {
			b.Fatal(err)
		}
		if load.Undo == nil {
			continue
		}
		b.StopTimer()
		if err := load.Undo(ctx, db); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
