package scan_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// query returns rows of an SQLite database and the names of their columns.
func query(text string) (rows *sql.Rows, columns []string, end func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "example.db"))
	if err != nil {
		panic(err)
	}
	rows, err = db.Query(text)
	if err != nil {
		panic(err)
	}
	columns, err = rows.Columns()
	if err != nil {
		panic(err)
	}
	return rows, columns, func() {
		if err := errors.Join(rows.Close(), db.Close(), os.RemoveAll(dir)); err != nil {
			panic(err)
		}
	}
}

func ExamplePlanFor() {
	type user struct {
		ID    int64
		Name  string `db:"full_name"`
		Email *string
	}
	rows, columns, end := query("SELECT 1 AS id, 'Ada' AS full_name, NULL AS email UNION ALL SELECT 2, 'Grace', 'grace@example.com'")
	defer end()

	plan, err := scan.PlanFor[user](columns)
	if err != nil {
		fmt.Println(err)
		return
	}
	users, err := plan.Append(rows, nil)
	for _, u := range users {
		fmt.Println(u.ID, u.Name, u.Email != nil)
	}
	fmt.Println(err)
	// Output:
	// 1 Ada false
	// 2 Grace true
	// <nil>
}

func ExamplePlan_Scan() {
	rows, columns, end := query("SELECT 40 AS age UNION ALL SELECT NULL")
	defer end()

	plan, err := scan.PlanFor[int](columns)
	if err != nil {
		fmt.Println(err)
		return
	}
	for rows.Next() {
		var age int
		if err := plan.Scan(rows, &age); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(age)
	}
	// Output:
	// 40
	// scan: column "age" into int: NULL, which it can't hold: use a pointer or a sql.Null
}

func ExampleWithConversions() {
	type event struct {
		At   sql.NullTime
		Tags []string
	}
	rows, columns, end := query(`SELECT '2024-02-29 13:14' AS at, '["a", "b"]' AS tags`)
	defer end()

	plan, err := scan.PlanFor[event](columns, scan.WithConversions())
	if err != nil {
		fmt.Println(err)
		return
	}
	events, err := plan.Append(rows, nil)
	fmt.Println(events, err)
	// Output:
	// [{{2024-02-29 13:14:00 +0000 UTC true} [a b]}] <nil>
}

func ExampleFields() {
	type user struct {
		UserID int64 `orm:",pk"`
		Name   string
	}
	for _, f := range scan.Fields(reflect.TypeFor[user]()) {
		fmt.Println(f.Column, f.Type, f.Has("pk"))
	}
	// Output:
	// user_id int64 true
	// name string false
}
