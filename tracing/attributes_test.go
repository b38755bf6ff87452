package tracing_test

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func TestStatementSpanHasItsAttributesFromTheStart(t *testing.T) {
	t.Parallel()
	c := call(sp.OpQuery, "SELECT name FROM users  WHERE id = $1")
	c.Args = attach.PlainArgs([]any{7})
	s := observed(t, c)
	if s.kind != trace.SpanKindClient {
		t.Errorf("kind %v, want client", s.kind)
	}
	if s.name != "SELECT users" {
		t.Errorf("name %q, want the summary", s.name)
	}
	want := map[attribute.Key]string{
		"db.system.name":   "postgresql",
		"db.namespace":     "shop|public",
		"server.address":   "db.example",
		"server.port":      "5433",
		"db.query.summary": "SELECT users",
		"db.query.text":    "SELECT name FROM users  WHERE id = $1",
	}
	for key, value := range want {
		if got := lookup(s.start, key); got != value {
			t.Errorf("%s is %q at the start, want %q", key, got, value)
		}
	}
	if len(s.attributes) != len(want) {
		t.Errorf("got these attributes, want %d:\n%s", len(want), text(s.attributes))
	}
}

func TestTargetIsDescribedAsFarAsItIsKnown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		target *sp.Target
		span   string
		want   map[attribute.Key]string
	}{
		"no target": {nil, "ping", map[attribute.Key]string{
			"db.system.name": "other_sql", "db.namespace": "", "server.address": "", "server.port": "",
		}},
		"empty target": {&sp.Target{}, "ping", map[attribute.Key]string{"db.system.name": "other_sql"}},
		"default port of PostgreSQL": {
			&sp.Target{System: sp.PostgreSQL, Host: "h", Port: 5432, Namespace: "shop"}, "ping shop",
			map[attribute.Key]string{"server.address": "h", "server.port": ""},
		},
		"default port of MariaDB": {
			&sp.Target{System: sp.MariaDB, Host: "h", Port: 3306}, "ping h:3306",
			map[attribute.Key]string{"db.system.name": "mariadb", "server.port": "", "db.namespace": ""},
		},
		"default port of CockroachDB": {
			&sp.Target{System: sp.CockroachDB, Host: "::1", Port: 26257}, "ping [::1]:26257",
			map[attribute.Key]string{"db.system.name": "cockroachdb", "server.port": ""},
		},
		"port of another system": {
			&sp.Target{System: sp.MySQL, Host: "h", Port: 5432}, "ping h:5432",
			map[attribute.Key]string{"server.port": "5432"},
		},
		"socket": {
			&sp.Target{System: sp.MySQL, Host: "/run/mysqld.sock"}, "ping /run/mysqld.sock",
			map[attribute.Key]string{"server.address": "/run/mysqld.sock", "server.port": ""},
		},
		"file": {
			&sp.Target{System: sp.SQLite, Namespace: "shop.db"}, "ping shop.db",
			map[attribute.Key]string{"db.system.name": "sqlite", "db.namespace": "shop.db", "server.address": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := call(sp.OpPing, "")
			c.Target = tc.target
			s := observed(t, c)
			if s.name != tc.span {
				t.Errorf("name %q, want %q", s.name, tc.span)
			}
			for key, want := range tc.want {
				if got := s.attr(key); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
		})
	}
}

func TestOperationsWithoutTextAreNamed(t *testing.T) {
	t.Parallel()
	for op, want := range map[sp.Op]string{
		sp.OpConnect: "connect", sp.OpPing: "ping", sp.OpAcquire: "acquire", sp.OpPrepare: "PREPARE",
		sp.OpBatch: "BATCH", sp.OpCopy: "COPY", sp.OpBegin: "BEGIN", sp.OpSavepoint: "SAVEPOINT",
		sp.OpCommit: "COMMIT", sp.OpRollback: "ROLLBACK", sp.OpRelease: "RELEASE SAVEPOINT",
	} {
		s := observed(t, call(op, ""))
		if s.kind != trace.SpanKindClient || s.name != want+" shop|public" || lookup(s.start, "db.operation.name") != want {
			t.Errorf("%v: kind %v, name %q, operation %q", op, s.kind, s.name, s.attr("db.operation.name"))
		}
	}
	// The text of transaction control holds the names of savepoints.
	s := observed(t, call(sp.OpSavepoint, "SAVEPOINT s3cr3t"))
	if s.name != "SAVEPOINT shop|public" || s.attr("db.query.text") != "" {
		t.Errorf("a savepoint's text is recorded:\n%s", s.dump())
	}
	for _, op := range []sp.Op{sp.OpExec, sp.OpQuery} {
		s := observed(t, call(op, ""))
		if s.name != "shop|public" || s.attr("db.operation.name") != "" {
			t.Errorf("%v without a text: name %q, operation %q", op, s.name, s.attr("db.operation.name"))
		}
		c := call(op, "")
		c.Target = nil
		if s := observed(t, c); s.name != "other_sql" {
			t.Errorf("%v without text and target: name %q", op, s.name)
		}
	}
}

func TestPreparingIsToldFromExecuting(t *testing.T) {
	t.Parallel()
	const query = "SELECT name FROM users WHERE id = $1"
	s := observed(t, call(sp.OpPrepare, query))
	if s.name != "PREPARE SELECT users" || s.attr("db.query.summary") != s.name || s.attr("db.query.text") != query {
		t.Errorf("got\n%s", s.dump())
	}
}

func TestBatchIsDescribedByWhatItsStatementsShare(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text                 string
		size                 int
		summary, query, told string
	}{
		"one text for all": {"INSERT INTO a VALUES ($1)", 3, "BATCH INSERT a", "INSERT INTO a VALUES ($1)", "3"},
		"equal summaries": {
			"INSERT INTO a VALUES ($1); INSERT INTO a (x) VALUES ($1)", 2, "BATCH INSERT a",
			"INSERT INTO a VALUES ($1); INSERT INTO a (x) VALUES ($1)", "2",
		},
		"different statements": {
			"INSERT INTO a VALUES ($1); DELETE FROM b WHERE x = $1", 2, "BATCH",
			"INSERT INTO a VALUES ($1); DELETE FROM b WHERE x = $1", "2",
		},
		"semicolon in a literal": {"INSERT INTO a VALUES (';', $1)", 2, "BATCH INSERT a", "INSERT INTO a VALUES (';', $1)", "2"},
		"some with parameters": {
			"DELETE FROM a WHERE x = 1; DELETE FROM a WHERE x = $1 AND y = 2", 2, "BATCH DELETE a",
			"DELETE FROM a WHERE x = ?; DELETE FROM a WHERE x = $1 AND y = 2", "2",
		},
		"equal once sanitised": {"DELETE FROM a WHERE x = 1; DELETE FROM a WHERE x = 2;", 2, "BATCH DELETE a", "DELETE FROM a WHERE x = ?", "2"},
		"a single one":         {"INSERT INTO a VALUES ($1)", 1, "INSERT a", "INSERT INTO a VALUES ($1)", ""},
		"empty":                {"", 0, "", "", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := call(sp.OpBatch, tc.text)
			c.BatchSize = tc.size
			s := observed(t, c)
			if got := s.attr("db.query.summary"); got != tc.summary {
				t.Errorf("summary %q, want %q", got, tc.summary)
			}
			if got := s.attr("db.query.text"); got != tc.query {
				t.Errorf("text %q, want %q", got, tc.query)
			}
			if got := s.attr("db.operation.batch.size"); got != tc.told {
				t.Errorf("batch size %q, want %q", got, tc.told)
			}
			if tc.summary != "" && s.name != tc.summary {
				t.Errorf("name %q, want the summary", s.name)
			}
		})
	}
}

func TestTextOfStatements(t *testing.T) {
	t.Parallel()
	const plain, parameters = "SELECT a FROM t WHERE b = 'x y'", "SELECT a FROM t WHERE b = 'x y' AND c = $1"
	for name, tc := range map[string]struct {
		text string
		args []any
		opts []tracing.Option
		want string
	}{
		"with parameters as it is":     {parameters, []any{1}, nil, parameters},
		"without parameters sanitised": {plain, nil, nil, "SELECT a FROM t WHERE b = ?"},
		"arguments for no parameters":  {plain, []any{1}, nil, "SELECT a FROM t WHERE b = ?"},
		"parameters without arguments": {parameters, nil, nil, "SELECT a FROM t WHERE b = ? AND c = $1"},
		"always sanitised":             {parameters, []any{1}, []tracing.Option{tracing.WithSanitizedQueryText()}, "SELECT a FROM t WHERE b = ? AND c = $1"},
		"left out":                     {parameters, []any{1}, []tracing.Option{tracing.WithoutQueryText()}, ""},
		"cut":                          {plain, nil, []tracing.Option{tracing.WithQueryTextLimit(8)}, "SELECT a"},
		"cut before a character":       {"SELECT $1, ä", []any{1}, []tracing.Option{tracing.WithQueryTextLimit(12)}, "SELECT $1, "},
		"no limit":                     {plain, nil, []tracing.Option{tracing.WithQueryTextLimit(0)}, "SELECT a FROM t WHERE b = ?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := call(sp.OpExec, tc.text)
			c.Args = attach.PlainArgs(tc.args)
			if got := observed(t, c, tc.opts...).attr("db.query.text"); got != tc.want {
				t.Errorf("text %q, want %q", got, tc.want)
			}
		})
	}
}

func TestDialectFollowsTheSystem(t *testing.T) {
	t.Parallel()
	// A string for MySQL and MariaDB, a name for the others.
	const query = `SELECT a FROM t WHERE b = "s3cr3t"`
	for system, want := range map[sp.System]string{
		sp.MySQL: "SELECT a FROM t WHERE b = ?", sp.MariaDB: "SELECT a FROM t WHERE b = ?",
		sp.PostgreSQL: query, sp.CockroachDB: query,
	} {
		c := call(sp.OpQuery, query)
		c.Target = &sp.Target{System: system}
		if got := observed(t, c).attr("db.query.text"); got != want {
			t.Errorf("%s: text %q, want %q", system, got, want)
		}
	}
}

func TestOneHandleMayMeetSeveralTargets(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	h := newTracing(t, r).Wrap(attach.Perform)
	for i := range 300 {
		c := call(sp.OpQuery, "SELECT 1")
		c.Target = &sp.Target{System: sp.MySQL, Port: i + 1, Host: "h"}
		if i%2 == 0 {
			c.Target.System = sp.MariaDB
		}
		want := string(c.Target.System)
		if _, err := attach.Run(t.Context(), c, h); err != nil {
			t.Fatal(err)
		}
		if got := r.all()[i].attr("db.system.name"); got != want {
			t.Fatalf("call %d: system %q, want %q", i, got, want)
		}
	}
}

func TestConfiguredAttributesAreAddedLast(t *testing.T) {
	t.Parallel()
	s := observed(t, call(sp.OpExec, "SELECT 1"),
		tracing.WithAttributes(attribute.String("peer.service", "orders"), attribute.String("db.namespace", "other")))
	if s.attr("peer.service") != "orders" || s.attr("db.namespace") != "other" {
		t.Errorf("got\n%s", s.dump())
	}
}

func TestParametersAreRecordedByAllowListOnly(t *testing.T) {
	t.Parallel()
	c := call(sp.OpExec, "UPDATE t SET a = $1, b = $2, c = $3")
	c.Args = attach.PlainArgs([]any{"one", 2, "s3cr3t"})
	s := observed(t, c, tracing.WithQueryParameters("0", "1"))
	if s.attr("db.query.parameter.0") != "one" || s.attr("db.query.parameter.1") != "2" || s.attr("db.query.parameter.2") != "" {
		t.Errorf("got\n%s", s.dump())
	}

	batch := call(sp.OpBatch, "UPDATE t SET a = $1")
	batch.Args, batch.BatchSize = attach.PlainArgs([]any{"one"}), 2
	if s := observed(t, batch, tracing.WithQueryParameters("0")); s.attr("db.query.parameter.0") != "" {
		t.Errorf("a batch's parameters are recorded:\n%s", s.dump())
	}

	plain := call(sp.OpExec, "UPDATE t SET a = $1")
	plain.Args = attach.PlainArgs([]any{"s3cr3t"})
	if s := observed(t, plain); s.attr("db.query.parameter.0") != "" {
		t.Errorf("parameters are recorded unasked:\n%s", s.dump())
	}
}
