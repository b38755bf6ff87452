package engine

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"sync"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// fieldIndexes caches the index of each field of a struct, by its column's
// name.
var fieldIndexes sync.Map // reflect.Type → map[string][]int

// fieldsOf returns a look-up of the fields of a struct, or of a pointer to
// one, that is not a single value itself.
func fieldsOf(arg any) (lookup func(name string) (any, bool), ok bool) {
	switch arg.(type) {
	case driver.Valuer, sql.NamedArg:
		return nil, false
	}
	v := reflect.ValueOf(arg)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil, false
	}
	indexes := indexesOf(v.Type())
	if len(indexes) == 0 {
		return nil, false
	}
	return func(name string) (any, bool) {
		index, ok := indexes[name]
		if !ok {
			return nil, false
		}
		field, err := v.FieldByIndexErr(index)
		if err != nil { // in an embedded pointer that is nil
			return nil, true
		}
		return field.Interface(), true
	}, true
}

func indexesOf(t reflect.Type) map[string][]int {
	if known, ok := fieldIndexes.Load(t); ok {
		return known.(map[string][]int)
	}
	indexes := map[string][]int{}
	for _, f := range scan.Fields(t) {
		indexes[f.Column] = f.Index
	}
	known, _ := fieldIndexes.LoadOrStore(t, indexes)
	return known.(map[string][]int)
}
