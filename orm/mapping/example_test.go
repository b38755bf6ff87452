package mapping_test

import (
	"fmt"
	"reflect"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

func ExampleOf() {
	type Account struct {
		ID      int64
		Owner   int64 `orm:"owner_id,references:customer"`
		Version int   `orm:",version"`
	}
	table, err := mapping.Of(reflect.TypeFor[Account]())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range table.Columns {
		fmt.Println(table.Name, c.Name, c.PK, c.Version, c.References)
	}
	// Output:
	// account id true false <nil>
	// account owner_id false false &{customer id}
	// account version false true <nil>
}
