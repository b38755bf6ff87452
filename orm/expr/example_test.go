package expr_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
)

type Member struct {
	ID   int64
	Name string
	Age  int
	Nick *string
}

// members returns a session on a database in memory with some members, and a
// function that closes both.
func members(ctx context.Context) (s *orm.Session, done func()) {
	eng, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	if err := orm.CreateAll(ctx, eng, (*Member)(nil)); err != nil {
		log.Fatal(err)
	}
	s = orm.NewSession(eng)
	al := "al"
	err = s.AddAll(&Member{Name: "Alice Smith", Age: 30, Nick: &al}, &Member{Name: "Bob", Age: 17}, &Member{Name: "Alice Jones", Age: 12})
	if err != nil {
		log.Fatal(err)
	}
	return s, func() {
		_ = s.Close(ctx)
		_ = eng.Dispose()
	}
}

func Example() {
	ctx := context.Background()
	s, done := members(ctx)
	defer done()

	q := orm.From[Member]()
	m := q.Row()
	found, err := q.Where(expr.Like(&m.Name, "%Alice%"), expr.Gt(&m.Age, 18)).OrderBy(expr.Desc(&m.ID)).All(ctx, s)
	if err != nil {
		log.Fatal(err)
	}
	for _, member := range found {
		fmt.Println(member.Name)
	}
	// Output: Alice Smith
}

// A condition is a value: it can be kept, passed on and used in several queries.
func ExampleOr() {
	ctx := context.Background()
	s, done := members(ctx)
	defer done()

	m := orm.From[Member]().Row()
	minor := expr.Lt(&m.Age, 18)
	found, err := orm.From[Member]().
		Where(expr.Or(minor, expr.Opt(&m.Nick).Eq("al"))).
		Where("name <> ?", "Bob"). // SQL text beside it
		OrderBy(&m.Name).
		All(ctx, s)
	if err != nil {
		log.Fatal(err)
	}
	for _, member := range found {
		fmt.Println(member.Name)
	}
	// Output:
	// Alice Jones
	// Alice Smith
}

// What users type is no pattern.
func ExampleContains() {
	ctx := context.Background()
	s, done := members(ctx)
	defer done()

	m := orm.From[Member]().Row()
	n, err := orm.From[Member]().Where(expr.Contains(&m.Name, "%")).Count(ctx, s)
	fmt.Println(n, err)
	// Output: 0 <nil>
}
