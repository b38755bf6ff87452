package postgres

import (
	"database/sql"
	"reflect"
	"time"
)

// holdsNull reports whether the destination dest can hold NULL, as far as its
// type shows. If a type does not fit the column, pgx tries NULL with all the
// types it knows, in the order of a map, and one of them may take it for an
// empty value (pgtype.scanPlanFail in pgx 5.12).
func holdsNull(dest any) bool {
	switch dest.(type) {
	case nil, *any, *[]byte, sql.Scanner:
		return true
	case *string, *int64, *int32, *int, *float64, *bool, *time.Time:
		return false
	}
	t := reflect.TypeOf(dest)
	if t.Kind() != reflect.Pointer || t.NumMethod() > 0 {
		return true // pgx knows
	}
	switch t.Elem().Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return false
	}
	return true
}
