package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// batch runs a statement for each set of arguments, and returns how many rows
// each has affected.
func batch(t *testing.T, ex engine.Executor, text string, sets [][]any) (affected []int64, err error) {
	t.Helper()
	sts := make([]engine.Statement, len(sets))
	for i, args := range sets {
		sts[i] = engine.Text(text, args...)
	}
	res, err := ex.ExecuteBatch(t.Context(), sts...)
	for _, r := range res {
		affected = append(affected, r.RowsAffected())
	}
	return affected, err
}

func ones(n int) []int64 { return slices.Repeat([]int64{1}, n) }

func TestTheSameChangesAreFolded(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", `CREATE TABLE "a b" (tenant uuid, id bigint, name varchar(9), n int, v text, PRIMARY KEY (tenant, id))`,
		`INSERT INTO "a b" SELECT ('00000000-0000-0000-0000-00000000000' || i % 2)::uuid, i / 2, 'row ' || i, i, 'old' FROM generate_series(0, 1999) AS i`)
	tenant := func(i int) [16]byte { return [16]byte{15: byte(i % 2)} }
	for _, c := range []struct {
		text string
		args func(i int) []any
		want string // of which there are as many rows afterwards
		rows int
	}{
		{`UPDATE "a b" SET n = $1, v = $2 WHERE "tenant" = $3 AND id = $4`, func(i int) []any { return []any{int64(-i), nil, tenant(i), int64(i / 2)} }, "v IS NULL AND n <= 0", 1100},
		{`update public."a b" set n = $1 WHERE name = $2`, func(i int) []any { return []any{new(i), fmt.Sprint("row ", i)} }, "v IS NULL AND name = 'row ' || n", 1100},
		{`UPDATE "a b" SET v = $1, n = $2 WHERE id = $3 AND TENANT = $4 AND n = $5`, func(i int) []any { return []any{"new", int64(i + 1), new(int64(i / 2)), tenant(i), int64(i)} }, "v = 'new' AND name = 'row ' || n - 1", 1100},
		{`DELETE FROM "a b" WHERE tenant = $1 AND id = $2`, func(i int) []any { return []any{tenant(i), int64(i / 2)} }, "v = 'old'", 900},
	} {
		affected, err := batch(t, e, c.text, many(1100, c.args))
		if err != nil || !slices.Equal(affected, ones(1100)) {
			t.Fatalf("%s: %d, %v", c.text, affected, err)
		}
		if got, want := sent.take(), []string{"prepare", "folded"}; !slices.Equal(got, want) {
			t.Errorf("%s: sent %q, want %q", c.text, got, want)
		}
		if rows := column[int](t, e, `SELECT count(*) FROM "a b" WHERE `+c.want); rows[0] != c.rows {
			t.Errorf("%s: %d rows where %s, want %d", c.text, rows[0], c.want, c.rows)
		}
	}
	if _, err := batch(t, e, `DELETE FROM "a b" WHERE n = $1`, many(63, func(i int) []any { return []any{int64(i)} })); err != nil {
		t.Fatal(err)
	}
	if got, want := sent.take(), []string{"batch of 63"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// TestChangesThatCantBeFoldedAreSentAsTheyAre has changes that see what others
// have done, or might.
func TestChangesThatCantBeFoldedAreSentAsTheyAre(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", "CREATE TABLE t (id bigint, n int, c char(9), at timestamp)", "INSERT INTO t SELECT i, i, i FROM generate_series(1, 100) AS i")
	number := func(i int) []any { return []any{int64(i + 1), int64(i + 1)} }
	for text, args := range map[string]func(i int) []any{
		"UPDATE t SET n = $1 WHERE id = $2":              func(i int) []any { return []any{int64(i), int64(7)} }, // the last one counts
		"UPDATE t SET n = $1 WHERE id = $2 AND n = n":    number,
		"UPDATE t SET id = $1 WHERE \"id\" = $2":         number, // one could find what another has made
		"UPDATE t SET ID = $1 WHERE id = $2":             number,
		"UPDATE t SET n = n + $1 WHERE id = $2":          number,
		"UPDATE t SET n = $2 WHERE id = $1":              number,
		"UPDATE t SET n = $1 WHERE c = $2":               func(i int) []any { return []any{int64(i), fmt.Sprintf("%d ", i+1)} }, // blanks do not count
		"UPDATE t SET n = $1 WHERE id > $2":              number,
		"UPDATE ONLY t SET n = $1 WHERE id = $2":         number,
		"UPDATE t SET n = $1 WHERE id = $2 RETURNING id": number,
		"DELETE FROM t WHERE at = $1":                    func(int) []any { return []any{nil} },
	} {
		if _, err := batch(t, e, text, many(100, args)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got := sent.take(); slices.Contains(got, "folded") || !slices.Contains(got, "batch of 100") {
			t.Errorf("%s: sent %q", text, got)
		}
	}
}

// TestChangesTellHowManyRowsTheyHaveFound has rows that are missing, skipped and
// more than one.
func TestChangesTellHowManyRowsTheyHaveFound(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", "CREATE TABLE t (id int, n int)", "INSERT INTO t SELECT i, i FROM generate_series(0, 99) AS i WHERE i <> 50", "INSERT INTO t VALUES (7, 7)",
		"CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.n = -3 THEN RETURN NULL; END IF; RETURN NEW; END'",
		"CREATE TRIGGER skip BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION skip()")
	want := ones(100)
	want[3], want[7], want[50] = 0, 2, 0
	for range 2 { // what was missing once need not be another time
		affected, err := batch(t, e, "UPDATE t SET n = $1 WHERE id = $2", many(100, func(i int) []any { return []any{int64(-i), int64(i)} }))
		if err != nil || !slices.Equal(affected, want) {
			t.Errorf("%d, %v", affected, err)
		}
		if got := sent.take(); !slices.Contains(got, "folded") || !slices.Contains(got, "batch of 100") {
			t.Errorf("sent %q", got)
		}
	}
	exec(t, e, "INSERT INTO t VALUES (50, 0)")
	sent.take()
	want[3], want[50] = 1, 1
	affected, err := batch(t, e, "DELETE FROM t WHERE id = $1", many(100, func(i int) []any { return []any{int64(i)} }))
	if err != nil || !slices.Equal(affected, want) {
		t.Errorf("%d, %v", affected, err)
	}
	if got := sent.take(); !slices.Contains(got, "folded") || slices.Contains(got, "batch of 100") {
		t.Errorf("sent %q", got)
	}
}

func TestARefusedChangeIsNamed(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", "CREATE TABLE t (id int, n int UNIQUE)", "INSERT INTO t SELECT i, i FROM generate_series(0, 99) AS i")
	sets := many(100, func(i int) []any { return []any{int64(1000 + i), int64(i)} })
	sets[40][0] = int64(1007)
	affected, err := batch(t, e, "UPDATE t SET n = $1 WHERE id = $2", sets)
	var refused *engine.BatchError
	var violated *integrity.Error
	if len(affected) != 40 || !errors.As(err, &refused) || refused.Index != 40 || !errors.As(err, &violated) || violated.Kind != integrity.Unique {
		t.Errorf("%d, %v, want a duplicate in statement 40", affected, err)
	}
	if got := sent.take(); !slices.Contains(got, "folded") {
		t.Errorf("sent %q", got)
	}
}

// TestFoldedChangesLockInOrder changes one row first: those behind it, in the
// order of the statements, have to be free while the change waits for it.
func TestFoldedChangesLockInOrder(t *testing.T) {
	t.Parallel()
	e := open(t)
	exec(t, e, "CREATE TABLE t (id int PRIMARY KEY, n int)")
	exec(t, e, "INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) AS i")
	exec(t, e, "ANALYZE t")
	holder, err := e.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close(context.Background())
	exec(t, holder, "UPDATE t SET n = -1 WHERE id = 400")
	done := make(chan error, 1)
	go func() {
		_, err := batch(t, e, "UPDATE t SET n = $1 WHERE id = $2", many(1000, func(i int) []any { return []any{int64(i), int64(1000 - i)} }))
		done <- err
	}()
	for waits := false; !waits && len(done) == 0; {
		waits = column[bool](t, e, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%unnest%' AND datname = current_database())")[0]
	}
	free := column[int](t, e, "SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED")
	if len(free) != 399 || free[398] != 399 {
		t.Errorf("%d rows are free, want those from 1 to 399", len(free))
	}
	if err := holder.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if rows := column[int](t, e, "SELECT count(*) FROM t WHERE n = 1000 - id"); rows[0] != 1000 {
		t.Errorf("%d rows were changed, want 1000", rows[0])
	}
}
