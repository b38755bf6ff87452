package telemetry_test

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		use           telemetry.Use
		text          string
		summary, told string
	}{
		{telemetry.UseAlone, "SELECT a FROM t WHERE b = 'x'", "SELECT t", "SELECT a FROM t WHERE b = ?"},
		{telemetry.UseAlone, "SELECT a FROM t WHERE b ? 'x'", "SELECT t", "SELECT a FROM t WHERE b ? ?"},
		{telemetry.UseAlone, "SELECT $1, 'x' FROM t", "SELECT t", "SELECT $1, ? FROM t"},
		{telemetry.UseWithArguments, "SELECT 'x' FROM t WHERE b = $1", "SELECT t", "SELECT 'x' FROM t WHERE b = $1"},
		{telemetry.UseWithArguments, "SELECT 'x' FROM t", "SELECT t", "SELECT ? FROM t"},
		{telemetry.UsePrepare, "INSERT INTO t VALUES ($1)", "PREPARE INSERT t", "INSERT INTO t VALUES ($1)"},
		{telemetry.UsePrepare, "INSERT INTO t VALUES (1)", "PREPARE INSERT t", "INSERT INTO t VALUES (?)"},
		{telemetry.UseBatch, "INSERT INTO t VALUES ($1); INSERT INTO t VALUES ($1)", "BATCH INSERT t", "INSERT INTO t VALUES ($1)"},
		{
			telemetry.UseBatch, "INSERT INTO t VALUES ($1); SELECT a FROM t WHERE b = 'x'",
			"BATCH", "INSERT INTO t VALUES ($1); SELECT a FROM t WHERE b = ?",
		},
	}
	for _, test := range tests {
		got := telemetry.Describe(sqltext.PostgreSQL, test.use, test.text)
		if got.Summary != test.summary || got.Text != test.told || strings.Contains(got.Sanitized, "'x'") {
			t.Errorf("%s: got %+v, want %q, %q", test.text, got, test.summary, test.told)
		}
	}
}

func TestUseOf(t *testing.T) {
	t.Parallel()
	one := attach.PlainArgs([]any{1})
	tests := []struct {
		op   sp.Op
		args sp.Args
		size int
		want telemetry.Use
	}{
		{sp.OpExec, sp.Args{}, 0, telemetry.UseAlone},
		{sp.OpQuery, one, 0, telemetry.UseWithArguments},
		{sp.OpPrepare, sp.Args{}, 0, telemetry.UsePrepare},
		{sp.OpBatch, sp.Args{}, 2, telemetry.UseBatch},
		{sp.OpBatch, sp.Args{}, 0, telemetry.UseBatch},
		{sp.OpBatch, sp.Args{}, 1, telemetry.UseAlone},
		{sp.OpBatch, one, 1, telemetry.UseWithArguments},
	}
	for _, test := range tests {
		call := &sp.Call{}
		attach.Reset(call, nothing{})
		call.Op, call.Args, call.BatchSize = test.op, test.args, test.size
		if got := telemetry.UseOf(call); got != test.want {
			t.Errorf("%v of %d with %d arguments: got %d, want %d", test.op, test.size, test.args.Len(), got, test.want)
		}
	}
}

// nothing is the operation of calls that are not performed.
type nothing struct{}

func (nothing) Do(context.Context, *sp.Call) error { return nil }

// TestWhatIsToldIsUTF8 holds that a text in another encoding makes no attribute
// that a collector has to refuse.
func TestWhatIsToldIsUTF8(t *testing.T) {
	t.Parallel()
	for u := range telemetry.Uses {
		got := telemetry.Describe(sqltext.SQLite, telemetry.Use(u), "SELECT * FROM \"caf\xe9\" WHERE id = ? AND name = 'caf\xe9'")
		for _, text := range []string{got.Summary, got.Text, got.Sanitized} {
			if !utf8.ValidString(text) {
				t.Errorf("use %d: %q", u, text)
			}
		}
	}
}
