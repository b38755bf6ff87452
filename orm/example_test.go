package orm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/orm"
)

type Account struct {
	ID      int64
	Owner   string
	Balance int64
}

func Example() {
	ctx := context.Background()
	eng, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Dispose()
	if _, err := eng.Execute(ctx, engine.Text("CREATE TABLE account (id INTEGER PRIMARY KEY, owner TEXT, balance INTEGER)")); err != nil {
		log.Fatal(err)
	}

	s := orm.NewSession(eng)
	defer s.Close(ctx)
	ann, bob := &Account{Owner: "ann", Balance: 40}, &Account{Owner: "bob", Balance: 2}
	if err := s.AddAll(ann, bob); err != nil {
		log.Fatal(err)
	}
	if err := s.Commit(ctx); err != nil {
		log.Fatal(err)
	}

	ann.Balance -= 10
	bob.Balance += 10
	if err := s.Commit(ctx); err != nil { // two UPDATEs of one column each
		log.Fatal(err)
	}
	again, err := orm.Get[Account](ctx, s, bob.ID)
	fmt.Println(again == bob, again.Owner, again.Balance, err)
	// Output: true bob 12 <nil>
}
