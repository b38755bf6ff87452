package sqltext_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// TestPostgreSQLAgreesOnWhatIsAParameter asks the server: each text gives a
// true value with its arguments.
func TestPostgreSQLAgreesOnWhatIsAParameter(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), dbtest.Postgres(t).Database(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, test := range []struct {
		text string
		args any
	}{
		{`SELECT '{"k": 1}'::jsonb ?? 'k' AND ?::int = 1`, list(1)},
		{`SELECT '{"k": 1}'::jsonb ?| ARRAY['k'] AND '{"k": 1}'::jsonb ??& ?`, list([]string{"k"})},
		{`SELECT '{"k": 1}'::jsonb @? '$.k' AND '{"k": 1}'::jsonb ?? ?`, list("k")},
		{`SELECT '{"k": 1}'::jsonb ?:k AND :k = 'k'`, map[string]any{"k": "k"}},
		{`SELECT '{"k": 1}'::jsonb ? $1`, list("k")},
		{`SELECT ?||'x' = 'ax'`, list("a")},
		{`SELECT (ARRAY[1, 2, 3])[:lo : :hi] = (ARRAY[1, 2, 3])[1:2]`, map[string]any{"lo": 1, "hi": 2}},
		{`SELECT (ARRAY[1, 2, 3])[1:n] = ARRAY[:a, :b]::int[] FROM (SELECT 2 AS n) t`, map[string]any{"a": 1, "b": 2}},
		{`SELECT 2 IN (:ids) AND 4 NOT IN (:ids) AND 2 = ANY (:ids)`, map[string]any{"ids": []int32{1, 2, 3}}},
		{`SELECT 2 IN :ids`, map[string]any{"ids": []int32{1, 2, 3}}},
		{`SELECT count(*) = 1 FROM (SELECT 1 LIMIT?) t WHERE E'\'?' <> $$?$$ /* ? /* ? */ */`, list(1)},
		{`SELECT position(? IN ?) = 2`, list("b", "abc")},
		{`SELECT ?2::int - ?1::int = 1`, list(1, 2)},
	} {
		text, args, err := bindEither(pg, test.text, test.args)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		var ok bool
		if err := conn.QueryRow(t.Context(), text, args...).Scan(&ok); err != nil || !ok {
			t.Errorf("%s\n%s: %t, %v", test.text, text, ok, err)
		}
	}
}

// bindEither binds arguments by place or by name.
func bindEither(d sqltext.Dialect, text string, args any) (string, []any, error) {
	template, err := sqltext.Compile(d, text)
	if err != nil {
		return "", nil, err
	}
	switch args := args.(type) {
	case []any:
		return template.Bind(args)
	case map[string]any:
		return template.BindNamed(args)
	default:
		return "", nil, fmt.Errorf("no arguments of type %T", args)
	}
}
