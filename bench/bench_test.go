package bench

import (
	"context"
	"database/sql/driver"
	"testing"
)

func BenchmarkFake(b *testing.B) { run(b, FakeConnector, Workloads) }

func BenchmarkSQLite(b *testing.B) { run(b, SQLiteConnector, SQLiteWorkloads) }

func run(b *testing.B, connect func(dir string) (driver.Connector, error), loads []Workload) {
	for _, load := range loads {
		b.Run(load.Name, func(b *testing.B) {
			for _, subject := range Subjects() {
				b.Run(subject.Name+" "+string(subject.State), func(b *testing.B) {
					c, err := connect(b.TempDir())
					if err != nil {
						b.Fatal(err)
					}
					Run(b, subject, load, c)
				})
			}
		})
	}
}

// TestEverySubjectPerformsEveryWorkload keeps the comparison honest: a subject
// that fails is no faster.
func TestEverySubjectPerformsEveryWorkload(t *testing.T) {
	t.Parallel()
	for _, subject := range Subjects() {
		for _, set := range []struct {
			connect func(dir string) (driver.Connector, error)
			loads   []Workload
		}{{FakeConnector, Workloads}, {SQLiteConnector, SQLiteWorkloads}} {
			for _, load := range set.loads {
				c, err := set.connect(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				db, err := subject.Open(c)
				if err != nil {
					t.Fatal(err)
				}
				op, err := load.Prepare(db)
				if err == nil {
					err = op(context.Background())
				}
				if err != nil {
					t.Errorf("%s %s, %s: %v", subject.Name, subject.State, load.Name, err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
