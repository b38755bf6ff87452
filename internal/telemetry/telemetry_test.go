package telemetry_test

import (
	"errors"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	tests := []struct {
		target *sp.Target
		want   string
	}{
		{nil, "db.system.name=other_sql"},
		{&sp.Target{}, "db.system.name=other_sql"},
		{&sp.Target{System: sp.SQLite, Namespace: "app.db"}, "db.namespace=app.db,db.system.name=sqlite"},
		{
			&sp.Target{System: sp.PostgreSQL, Host: "h", Port: 5432, Namespace: "d|s", User: "secret"},
			"db.namespace=d|s,db.system.name=postgresql,server.address=h",
		},
		{&sp.Target{System: sp.MariaDB, Host: "h", Port: 3307}, "db.system.name=mariadb,server.address=h,server.port=3307"},
	}
	for _, test := range tests {
		set := attribute.NewSet(telemetry.Target(test.target)...)
		if got := set.Encoded(attribute.DefaultEncoder()); got != test.want {
			t.Errorf("%v: got %s, want %s", test.target, got, test.want)
		}
	}
}

type oddError struct{}

func (*oddError) Error() string { return "odd" }

func TestErrorType(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err   error
		code  string
		class fault.Class
		want  string
	}{
		{errors.New("x"), "40001", fault.ClassSerialization, "40001"},
		{errors.New("x"), "", fault.ClassConnect, "connect"},
		{sp.ErrAborted, "", fault.ClassUnknown, "aborted"},
		{&oddError{}, "", fault.ClassUnknown, "*telemetry_test.oddError"},
		{fmt.Errorf("x: %w", &oddError{}), "", fault.ClassUnknown, "*telemetry_test.oddError"},
		{errors.New("x"), "", fault.ClassUnknown, "_OTHER"},
	}
	for _, test := range tests {
		if got := telemetry.ErrorType(test.err, test.code, test.class); got != test.want {
			t.Errorf("%v: got %s, want %s", test.err, got, test.want)
		}
	}
}
