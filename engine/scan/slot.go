package scan

import (
	"reflect"
	"time"
	"unsafe"
)

// slot is a field as the target of a column.
type slot struct {
	column string
	field  string
	typ    reflect.Type // of the field

	shape  shape
	as     reflect.Type // of shape other: what the driver is handed a pointer to
	offset uintptr
	via    int   // of the embedded pointer it lies behind, counted from 1, or 0
	store  store // of shape adapted
}

// shape says how the target of a field is made.
type shape uint8

const (
	other shape = iota
	adapted
	ignored
	shapeBool
	shapeString
	shapeBytes
	shapeTime
	shapeAny
	shapeInt
	shapeInt8
	shapeInt16
	shapeInt32
	shapeInt64
	shapeUint
	shapeUint8
	shapeUint16
	shapeUint32
	shapeUint64
	shapeFloat32
	shapeFloat64
)

// shapes are the types for which a target is made without reflection.
var shapes = map[reflect.Type]shape{
	basics[reflect.Bool]: shapeBool, basics[reflect.String]: shapeString, bytesType: shapeBytes,
	timeType: shapeTime, anyType: shapeAny,
	basics[reflect.Int]: shapeInt, basics[reflect.Int8]: shapeInt8, basics[reflect.Int16]: shapeInt16,
	basics[reflect.Int32]: shapeInt32, basics[reflect.Int64]: shapeInt64,
	basics[reflect.Uint]: shapeUint, basics[reflect.Uint8]: shapeUint8, basics[reflect.Uint16]: shapeUint16,
	basics[reflect.Uint32]: shapeUint32, basics[reflect.Uint64]: shapeUint64,
	basics[reflect.Float32]: shapeFloat32, basics[reflect.Float64]: shapeFloat64,
}

// shapeUp decides how the target of a slot is made.
func (s *slot) shapeUp(json bool, c config) error {
	if err := refused(s.typ); err != nil {
		return err
	}
	if s.store = storeOf(s.typ, json, c.convert); s.store != nil {
		s.shape = adapted
		return nil
	}
	s.as = plain(s.typ)
	s.shape = shapes[s.as]
	return nil
}

// target returns the target of a field at p. An adapter in old, which the
// previous row left there, is reused.
func (s *slot) target(p unsafe.Pointer, old any) any {
	switch s.shape {
	case shapeBool:
		return (*bool)(p)
	case shapeString:
		return (*string)(p)
	case shapeBytes:
		return (*[]byte)(p)
	case shapeTime:
		return (*time.Time)(p)
	case shapeAny:
		return (*any)(p)
	case shapeInt:
		return (*int)(p)
	case shapeInt8:
		return (*int8)(p)
	case shapeInt16:
		return (*int16)(p)
	case shapeInt32:
		return (*int32)(p)
	case shapeInt64:
		return (*int64)(p)
	case shapeUint:
		return (*uint)(p)
	case shapeUint8:
		return (*uint8)(p)
	case shapeUint16:
		return (*uint16)(p)
	case shapeUint32:
		return (*uint32)(p)
	case shapeUint64:
		return (*uint64)(p)
	case shapeFloat32:
		return (*float32)(p)
	case shapeFloat64:
		return (*float64)(p)
	case ignored:
		return discard{}
	case adapted:
		return s.adapter(p, old)
	default:
		return reflect.NewAt(s.as, p).Interface()
	}
}

func (s *slot) adapter(p unsafe.Pointer, old any) any {
	a, ok := old.(*adapter)
	if !ok {
		a = new(adapter)
	}
	a.at, a.store = p, s.store
	return a
}

// adapter is a target that converts. It implements [sql.Scanner], which
// database/sql and pgx know.
type adapter struct {
	at    unsafe.Pointer
	store store
}

// Scan implements [sql.Scanner].
func (a *adapter) Scan(src any) error { return a.store(a.at, src) }

// discard is the target of a column that is left out.
type discard struct{}

// Scan implements [sql.Scanner].
func (discard) Scan(any) error { return nil }
