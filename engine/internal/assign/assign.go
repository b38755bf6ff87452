package assign

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// Value copies src, a value of database/sql/driver, into what dest points to,
// with the conversions of [sql.Rows.Scan]. A nil dest takes nothing.
func Value(dest, src any) error {
	switch d := dest.(type) {
	case nil:
		return nil
	case *any:
		*d = clone(src)
		return nil
	case *int64:
		if v, ok := src.(int64); ok {
			*d = v
			return nil
		}
	case *string:
		if v, ok := src.(string); ok {
			*d = v
			return nil
		}
	case *float64:
		if v, ok := src.(float64); ok {
			*d = v
			return nil
		}
	case *[]byte:
		return bytes(d, src)
	case *sql.RawBytes:
		return errors.New("sql.RawBytes is not for rows in memory: use []byte")
	case sql.Scanner:
		return d.Scan(clone(src))
	}
	return convert(dest, src)
}

// clone copies bytes, which the caller may change.
func clone(src any) any {
	if b, ok := src.([]byte); ok && b != nil {
		return append([]byte{}, b...)
	}
	return src
}

func bytes(d *[]byte, src any) error {
	switch v := src.(type) {
	case nil:
		*d = nil
	case []byte:
		*d = append([]byte{}, v...)
	case string:
		*d = []byte(v)
	default:
		*d = []byte(text(src))
	}
	return nil
}

// convert is Value for what has no way of its own.
func convert(dest, src any) error {
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return errors.New("the destination is no pointer, or a nil one")
	}
	return set(p.Elem(), src)
}

func set(v reflect.Value, src any) error {
	if v.Kind() == reflect.Pointer {
		return setPointer(v, src)
	}
	if src == nil {
		return scan.ErrNull
	}
	s := reflect.ValueOf(src)
	if s.Type().AssignableTo(v.Type()) {
		v.Set(reflect.ValueOf(clone(src)))
		return nil
	}
	if v.Kind() == s.Kind() && s.Type().ConvertibleTo(v.Type()) {
		v.Set(reflect.ValueOf(clone(src)).Convert(v.Type()))
		return nil
	}
	return setKind(v, src)
}

// setPointer makes NULL of a pointer nil, and points it to a new value
// otherwise.
func setPointer(v reflect.Value, src any) error {
	if src == nil {
		v.SetZero()
		return nil
	}
	fresh := reflect.New(v.Type().Elem())
	if err := Value(fresh.Interface(), src); err != nil {
		return err
	}
	v.Set(fresh)
	return nil
}

// setKind converts by way of a text, as database/sql does, which finds numbers
// that don't fit.
func setKind(v reflect.Value, src any) error {
	switch v.Kind() {
	case reflect.Bool:
		b, err := driver.Bool.ConvertValue(src)
		if err != nil {
			return errors.New("the value is no bool")
		}
		v.SetBool(b.(bool))
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text(src), 10, v.Type().Bits())
		if err != nil {
			return unfit(v, src, err)
		}
		v.SetInt(n)
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text(src), 10, v.Type().Bits())
		if err != nil {
			return unfit(v, src, err)
		}
		v.SetUint(n)
		return nil
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text(src), v.Type().Bits())
		if err != nil {
			return unfit(v, src, err)
		}
		v.SetFloat(f)
		return nil
	case reflect.String:
		_, isBytes := src.([]byte)
		if v.Type() != reflect.TypeFor[string]() && !isBytes {
			break // a named type takes texts alone
		}
		v.SetString(text(src))
		return nil
	}
	return unfit(v, src, errors.ErrUnsupported)
}

// unfit describes a conversion that failed, without the value, which may be
// personal.
func unfit(v reflect.Value, src any, err error) error {
	if number, ok := errors.AsType[*strconv.NumError](err); ok {
		err = number.Err
	}
	return fmt.Errorf("a value of type %T does not fit into %s: %w", src, v.Type(), err)
}

// text is a value's form as database/sql writes it.
func text(src any) string {
	switch v := src.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(src)
}
