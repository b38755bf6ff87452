package sqldb_test

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

func TestWithDriverConnsRawIsTheDriversOwn(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) { return plain(&journal{}), nil }},
		sp.NewChain(rec), sqldb.WithDriverConns())
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Raw(func(c any) error {
		if _, ok := c.(*minimalConn); !ok || sqldb.Raw(c) != c {
			return fmt.Errorf("Raw gives %T", c)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if _, err := conn.ExecContext(t.Context(), "insert"); err != nil {
		t.Fatal(err)
	}
	var ops []sp.Op
	for _, c := range rec.calls {
		ops = append(ops, c.op)
	}
	if !slices.Equal(ops, []sp.Op{sp.OpConnect}) {
		t.Errorf("the chain saw %v, want the connect alone", ops)
	}
	if _, err := sqldb.Wrap(db); err == nil {
		t.Error("Wrap takes a database whose statements pass through no chain")
	}
}
