package bench

import (
	"context"
	"database/sql/driver"
	"os"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

func BenchmarkFake(b *testing.B) { each(b, SQLTables(Subjects(), FakeConnector, Workloads)) }

func BenchmarkSQLite(b *testing.B) { each(b, SQLTables(Subjects(), SQLiteConnector, SQLiteWorkloads)) }

func BenchmarkPGX(b *testing.B) {
	server, err := FakePGX()
	if err != nil {
		b.Fatal(err)
	}
	tables, closePools := PGXTables(b.Context(), server)
	defer closePools()
	each(b, tables)
}

func each(b *testing.B, tables []Table) {
	for _, t := range tables {
		b.Run(t.Name, func(b *testing.B) {
			for _, c := range t.Cases {
				b.Run(c.Subject+" "+string(c.State), c.Bench)
			}
		})
	}
}

// TestEverySubjectPerformsEveryWorkload keeps the comparison honest: a subject
// that fails is no faster.
func TestEverySubjectPerformsEveryWorkload(t *testing.T) {
	t.Parallel()
	for _, set := range []struct {
		subjects []Subject
		connect  func(dir string) (driver.Connector, error)
		loads    []Workload
	}{
		{Subjects(), FakeConnector, Workloads},
		{Subjects(), SQLiteConnector, SQLiteWorkloads},
		{KitSubjects(), FakeConnector, KitWorkloads},
	} {
		for _, subject := range set.subjects {
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

func TestEverySubjectOfPGXPerformsEveryWorkload(t *testing.T) {
	t.Parallel()
	fake, err := FakePGX()
	if err != nil {
		t.Fatal(err)
	}
	postgres, err := postgresWith(t.Context(), dbtest.Postgres(t).Database(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []PGXServer{fake, postgres} {
		for _, subject := range PGXSubjects() {
			config, err := server.Config()
			if err != nil {
				t.Fatal(err)
			}
			db, err := subject.Open(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			perform(t, subject, db)
			db.Close()
		}
	}
}

// perform performs every workload twice, the second time on prepared statements.
func perform(t *testing.T, subject PGXSubject, db PGX) {
	t.Helper()
	ctx, cancel := subject.Context()
	defer cancel()
	for _, load := range PGXWorkloads {
		for range 2 {
			err := load.Do(ctx, db)
			if err == nil && load.Undo != nil {
				err = load.Undo(ctx, db)
			}
			if err != nil {
				t.Errorf("%s %s, %s: %v", subject.Name, subject.State, load.Name, err)
			}
		}
	}
}
