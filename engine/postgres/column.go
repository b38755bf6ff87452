package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// column is one column of the rows of several statements, as an array. It
// implements [pgtype.ArrayGetter], for one encoding at a time.
type column struct {
	qs []backend.BoundStatement
	fd *folded
	i  int

	// An element given by pointer is passed on in one of these, which pgx
	// encodes without looking at its type and without a new allocation.
	text  pgtype.Text
	int   pgtype.Int8
	float pgtype.Float8
	bool  pgtype.Bool
	time  instant
}

// Dimensions implements [pgtype.ArrayGetter].
func (c *column) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(c.qs) * c.fd.rows), LowerBound: 1}}
}

// IndexType implements [pgtype.ArrayGetter]: elements are of any type.
func (c *column) IndexType() any { return nil }

// Index implements [pgtype.ArrayGetter]. Its result is valid until the next
// call.
func (c *column) Index(row int) any {
	arg := c.qs[row/c.fd.rows].Args[row%c.fd.rows*c.fd.values+c.i]
	switch v := arg.(type) {
	case *string:
		return c.ofText(v)
	case *time.Time:
		if v == nil {
			return nil
		}
		c.time.t = *v
		return &c.time
	case *float64:
		if v == nil {
			return nil
		}
		c.float = pgtype.Float8{Float64: *v, Valid: true}
		return &c.float
	case *bool:
		if v == nil {
			return nil
		}
		c.bool = pgtype.Bool{Bool: *v, Valid: true}
		return &c.bool
	}
	switch n, null, ok := integer(arg); {
	case null:
		return nil
	case ok:
		c.int = pgtype.Int8{Int64: n, Valid: true}
		return &c.int
	}
	return arg
}

// ofText returns a text element. pgx encodes JSON only from a string.
func (c *column) ofText(v *string) any {
	oid := c.fd.types[c.i]
	switch {
	case v == nil:
		return nil
	case oid == pgtype.JSONOID || oid == pgtype.JSONBOID:
		return *v
	}
	c.text = pgtype.Text{String: *v, Valid: true}
	return &c.text
}

// integer returns the integer that a pointer points to, or that the pointer is
// nil; ok is false for any other value.
func integer(v any) (n int64, null, ok bool) {
	switch v := v.(type) {
	case *int64:
		return integerAt(v)
	case *int32:
		return integerAt(v)
	case *int:
		return integerAt(v)
	case *int16:
		return integerAt(v)
	}
	return 0, false, false
}

func integerAt[T int | int16 | int32 | int64](p *T) (n int64, null, ok bool) {
	if p == nil {
		return 0, true, true
	}
	return int64(*p), false, true
}

// instant is a time in the form that pgx takes for every type of date and time.
type instant struct{ t time.Time }

// DateValue implements [pgtype.DateValuer].
func (i *instant) DateValue() (pgtype.Date, error) { return pgtype.Date{Time: i.t, Valid: true}, nil }

// TimestampValue implements [pgtype.TimestampValuer].
func (i *instant) TimestampValue() (pgtype.Timestamp, error) {
	return pgtype.Timestamp{Time: i.t, Valid: true}, nil
}

// TimestamptzValue implements [pgtype.TimestamptzValuer].
func (i *instant) TimestamptzValue() (pgtype.Timestamptz, error) {
	return pgtype.Timestamptz{Time: i.t, Valid: true}, nil
}

// fits reports whether pgx encodes a value, or the value a pointer points to,
// as an element of an array with the same result as by itself: it accepts more
// for a parameter than for an element.
func fits(oid uint32, v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool, *bool:
		return oid == pgtype.BoolOID
	case int64:
		return fitsInt(oid, v)
	case float64, *float64:
		return oid == pgtype.Float4OID || oid == pgtype.Float8OID
	case string, *string:
		return oid == pgtype.TextOID || oid == pgtype.VarcharOID || oid == pgtype.BPCharOID || oid == pgtype.JSONOID || oid == pgtype.JSONBOID
	case []byte:
		return oid == pgtype.ByteaOID
	case [16]byte:
		return oid == pgtype.UUIDOID
	case time.Time, *time.Time:
		return oid == pgtype.DateOID || oid == pgtype.TimestampOID || oid == pgtype.TimestamptzOID
	}
	n, null, ok := integer(v)
	return null || ok && fitsInt(oid, n)
}

func fitsInt(oid uint32, n int64) bool {
	return oid == pgtype.Int8OID || oid == pgtype.Int4OID && n == int64(int32(n)) || oid == pgtype.Int2OID && n == int64(int16(n))
}
