package preset_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/preset"

	_ "modernc.org/sqlite"
)

func Example() {
	p, err := preset.New(preset.WithLimit(20), preset.WithAttemptTimeout(2*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Close() }()
	db, err := sqldb.Open("sqlite", "file:shop?mode=memory", p.Chain())
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
