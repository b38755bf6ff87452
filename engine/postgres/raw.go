package postgres

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/sessionproxy/sessionproxy/internal/memory"

	"github.com/sessionproxy/sessionproxy/engine/internal/raw"
)

var _ raw.Rows = (*cursor)(nil)

// Decoder implements [raw.Rows].
func (c *cursor) Decoder(column int, t reflect.Type) raw.Decode {
	fields := c.fields()
	if column >= len(fields) {
		return nil
	}
	return decoderOf(fields[column].DataTypeOID, fields[column].Format, t)
}

// RawValues implements [raw.Rows].
func (c *cursor) RawValues() [][]byte {
	if c.peeked || c.closed || c.unfit {
		return nil
	}
	return c.rows.RawValues()
}

// decoders decode the common types, in binary form, each into the Go types that
// can hold all its values. pgx handles the others.
var decoders = map[uint32]map[reflect.Type]raw.Decode{
	pgtype.BoolOID:    {reflect.TypeFor[bool](): decodeBool},
	pgtype.Int2OID:    {reflect.TypeFor[int16](): decodeInt2[int16], reflect.TypeFor[int32](): decodeInt2[int32], reflect.TypeFor[int64](): decodeInt2[int64], reflect.TypeFor[int](): decodeInt2[int]},
	pgtype.Int4OID:    {reflect.TypeFor[int32](): decodeInt4[int32], reflect.TypeFor[int64](): decodeInt4[int64], reflect.TypeFor[int](): decodeInt4[int]},
	pgtype.Int8OID:    {reflect.TypeFor[int64](): decodeInt8[int64], reflect.TypeFor[int](): decodeInt8[int]},
	pgtype.Float4OID:  {reflect.TypeFor[float32](): decodeFloat4[float32], reflect.TypeFor[float64](): decodeFloat4[float64]},
	pgtype.Float8OID:  {reflect.TypeFor[float64](): decodeFloat8},
	pgtype.TextOID:    texts,
	pgtype.VarcharOID: texts,
	pgtype.BPCharOID:  texts,
	pgtype.ByteaOID:   {reflect.TypeFor[[]byte](): decodeBytea},
	pgtype.UUIDOID:    {reflect.TypeFor[[16]byte](): decodeUUID},

	pgtype.TimestampOID:   {reflect.TypeFor[time.Time](): decodeTimestamp},
	pgtype.TimestamptzOID: {reflect.TypeFor[time.Time](): decodeTimestamptz},
}

// texts decode types whose text and binary form are the same. pgx asks for
// text.
var texts = map[reflect.Type]raw.Decode{reflect.TypeFor[string](): decodeText}

// decoderOf returns the decoder of values of a type and format into fields of
// type t, or into what such fields point to.
func decoderOf(oid uint32, format int16, t reflect.Type) raw.Decode {
	known := decoders[oid]
	if format != pgtype.BinaryFormatCode {
		if known[reflect.TypeFor[string]()] == nil {
			return nil
		}
		known = texts
	}
	if t.Kind() != reflect.Pointer {
		return known[t]
	}
	elem := known[t.Elem()]
	if elem == nil {
		return nil
	}
	switch t.Elem().Kind() {
	case reflect.String:
		return pointed[string](elem)
	case reflect.Int64:
		return pointed[int64](elem)
	case reflect.Int32:
		return pointed[int32](elem)
	case reflect.Int:
		return pointed[int](elem)
	case reflect.Float64:
		return pointed[float64](elem)
	case reflect.Bool:
		return pointed[bool](elem)
	case reflect.Struct:
		return pointed[time.Time](elem)
	}
	return nil
}

// pointed decodes into a new T, to which the field then points; NULL is nil.
func pointed[T any](decode raw.Decode) raw.Decode {
	return func(p memory.Pointer, value []byte) bool {
		if value == nil {
			*(**T)(p) = nil
			return true
		}
		made := new(T)
		if !decode(memory.Pointer(made), value) {
			return false
		}
		*(**T)(p) = made
		return true
	}
}

func decodeBool(p memory.Pointer, value []byte) bool {
	if len(value) != 1 {
		return false
	}
	*(*bool)(p) = value[0] == 1
	return true
}

func decodeInt2[T int16 | int32 | int64 | int](p memory.Pointer, value []byte) bool {
	if len(value) != 2 {
		return false
	}
	*(*T)(p) = T(int16(binary.BigEndian.Uint16(value)))
	return true
}

func decodeInt4[T int32 | int64 | int](p memory.Pointer, value []byte) bool {
	if len(value) != 4 {
		return false
	}
	*(*T)(p) = T(int32(binary.BigEndian.Uint32(value)))
	return true
}

func decodeInt8[T int64 | int](p memory.Pointer, value []byte) bool {
	if len(value) != 8 {
		return false
	}
	n := int64(binary.BigEndian.Uint64(value))
	if int64(T(n)) != n { // an int of 32 bits
		return false
	}
	*(*T)(p) = T(n)
	return true
}

func decodeFloat4[T float32 | float64](p memory.Pointer, value []byte) bool {
	if len(value) != 4 {
		return false
	}
	*(*T)(p) = T(math.Float32frombits(binary.BigEndian.Uint32(value)))
	return true
}

func decodeFloat8(p memory.Pointer, value []byte) bool {
	if len(value) != 8 {
		return false
	}
	*(*float64)(p) = math.Float64frombits(binary.BigEndian.Uint64(value))
	return true
}

func decodeText(p memory.Pointer, value []byte) bool {
	if value == nil {
		return false
	}
	*(*string)(p) = string(value)
	return true
}

func decodeBytea(p memory.Pointer, value []byte) bool {
	if value == nil {
		*(*[]byte)(p) = nil
		return true
	}
	*(*[]byte)(p) = append(make([]byte, 0, len(value)), value...)
	return true
}

func decodeUUID(p memory.Pointer, value []byte) bool {
	if len(value) != 16 {
		return false
	}
	*(*[16]byte)(p) = [16]byte(value)
	return true
}

// y2k is the origin of PostgreSQL's microseconds, in seconds since 1970.
const y2k = 946_684_800

// Times from 1900 to 2200 are decoded here. Others, including infinities, are
// left to pgx.
const (
	minMicros = -100 * 366 * 86_400 * 1_000_000
	maxMicros = 200 * 365 * 86_400 * 1_000_000
)

func decodeTimestamptz(p memory.Pointer, value []byte) bool {
	if len(value) != 8 {
		return false
	}
	micros := int64(binary.BigEndian.Uint64(value))
	if micros < minMicros || micros > maxMicros {
		return false
	}
	*(*time.Time)(p) = time.UnixMicro(y2k*1_000_000 + micros)
	return true
}

func decodeTimestamp(p memory.Pointer, value []byte) bool {
	if !decodeTimestamptz(p, value) {
		return false
	}
	*(*time.Time)(p) = (*time.Time)(p).UTC()
	return true
}
