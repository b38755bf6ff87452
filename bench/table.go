package bench

import (
	"context"
	"database/sql/driver"
	"sync"
	"testing"
)

// A Table is one workload on one back end, and what is compared under it.
type Table struct {
	// Name is the workload's name.
	Name string
	// Cases are the subjects, raw first.
	Cases []Case
	// Hand is how many of the first are raw: the others are compared with the
	// fastest of them. 0 means 1.
	Hand int
	// Per is what figures are divided by, for those of one object. 0 means 1.
	Per int
}

// A Case is one subject under one workload.
type Case struct {
	// Subject is the subject's name.
	Subject string
	// State is that of its tracing provider; it may be empty.
	State State
	// Bench measures it. It may be called again.
	Bench func(b *testing.B)
}

// SQLTables returns the tables of database/sql on a back end. Each measurement
// opens the database anew.
func SQLTables(subjects []Subject, connect func(dir string) (driver.Connector, error), loads []Workload) []Table {
	tables := make([]Table, len(loads))
	for i, load := range loads {
		tables[i].Name = load.Name
		for _, s := range subjects {
			tables[i].Cases = append(tables[i].Cases, Case{s.Name, s.State, func(b *testing.B) {
				c, err := connect(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				Run(b, s, load, c)
			}})
		}
	}
	return tables
}

// PGXTables returns the tables of pgx on a server. A subject's pool is opened
// by its first measurement and used by all of its others; closePools closes
// them.
func PGXTables(ctx context.Context, server PGXServer) (tables []Table, closePools func()) {
	var opened []PGX
	subjects := PGXSubjects()
	pools := make([]func() (PGX, error), len(subjects))
	for i, s := range subjects {
		pools[i] = sync.OnceValues(func() (PGX, error) {
			config, err := server.Config()
			if err != nil {
				return nil, err
			}
			pool, err := s.Open(ctx, config)
			if err == nil {
				opened = append(opened, pool)
			}
			return pool, err
		})
	}
	for _, load := range PGXWorkloads {
		table := Table{Name: load.Name}
		for i, s := range subjects {
			table.Cases = append(table.Cases, Case{s.Name, s.State, func(b *testing.B) {
				db, err := pools[i]()
				if err != nil {
					b.Fatal(err)
				}
				RunPGX(b, s, load, db)
			}})
		}
		tables = append(tables, table)
	}
	return tables, func() {
		for _, pool := range opened {
			pool.Close()
		}
	}
}
