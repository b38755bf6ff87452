package preset_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/pgscript"
	"github.com/sessionproxy/sessionproxy/preset"
)

// shop starts the database of an example, which answers every statement with 42.
func shop() (url string, stop func()) {
	server, stop, err := pgscript.Launch()
	if err != nil {
		panic(err)
	}
	server.Handle(func(*pgscript.Session, string) pgscript.Reply {
		return pgscript.Reply{Rows: []string{"42"}, Tag: "SELECT 1"}
	})
	return server.URL(), stop
}

func Example() {
	p, err := preset.New(preset.WithLimit(20), preset.WithAttemptTimeout(2*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Close() }()
	url, stop := shop()
	defer stop()
	db, err := sqldb.Open("pgx", url, p.Chain())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()

	var answer int
	err = db.QueryRowContext(context.Background(), "SELECT 6 * 7").Scan(&answer)
	fmt.Println(answer, err)
	// mux.Handle("/debug/db", p.Page())

	// Output: 42 <nil>
}
