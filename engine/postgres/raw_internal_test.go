package postgres

import (
	"encoding/binary"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// binaryValues are values as PostgreSQL writes them, which have to be decoded.
func binaryValues() map[uint32][][]byte {
	times := [][]byte{number(8, 0), number(8, 762_523_200_123_456), number(8, -1), number(8, -3_000_000_000_000_000)}
	texts := [][]byte{{}, []byte("text"), []byte("n\u00e4ive")}
	return map[uint32][][]byte{
		pgtype.BoolOID:      {{0}, {1}},
		pgtype.Int2OID:      {number(2, 7), number(2, -7), number(2, math.MaxInt16)},
		pgtype.Int4OID:      {number(4, 7), number(4, -7), number(4, math.MinInt32)},
		pgtype.Int8OID:      {number(8, 7), number(8, -7), number(8, math.MinInt32)},
		pgtype.Float4OID:    {number(4, int64(math.Float32bits(1.1))), number(4, int64(math.Float32bits(float32(math.Inf(-1)))))},
		pgtype.Float8OID:    {number(8, int64(math.Float64bits(1.1))), number(8, 0)},
		pgtype.TextOID:      texts,
		pgtype.VarcharOID:   texts,
		pgtype.BPCharOID:    texts,
		pgtype.ByteaOID:     {{}, {0, 1, 255}},
		pgtype.UUIDOID:      {[]byte("0123456789abcdef")},
		pgtype.TimestampOID: times, pgtype.TimestamptzOID: times,
	}
}

func number(size int, n int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(n))
	return b[8-size:]
}

// targets are the types that a decoder of a type of the database decodes into.
func targets(oid uint32) (out []reflect.Type) {
	for t := range decoders[oid] {
		out = append(out, t)
		if p := reflect.PointerTo(t); decoderOf(oid, pgtype.BinaryFormatCode, p) != nil {
			out = append(out, p)
		}
	}
	return out
}

// sameAsPGX decodes a value, and compares with what pgx makes of it. It reports
// whether the value was decoded.
func sameAsPGX(t *testing.T, oid uint32, format int16, typ reflect.Type, value []byte) bool {
	t.Helper()
	got, want := reflect.New(typ), reflect.New(typ)
	if !decoderOf(oid, format, typ)(got.UnsafePointer(), value) {
		if !got.Elem().IsZero() {
			t.Errorf("type %d into %s: %v was left to pgx, and the field became %v", oid, typ, value, got.Elem())
		}
		return false
	}
	if err := pgtype.NewMap().Scan(oid, format, value, want.Interface()); err != nil {
		t.Errorf("type %d into %s: %v became %v, pgx says %v", oid, typ, value, got.Elem(), err)
	}
	if x, y := got.Elem().Interface(), want.Elem().Interface(); !reflect.DeepEqual(x, y) && !bothNaN(x, y) {
		t.Errorf("type %d into %s: %v became %#v, pgx has %#v", oid, typ, value, x, y)
	}
	return true
}

func bothNaN(x, y any) bool {
	nan := func(v any) bool {
		f := reflect.Indirect(reflect.ValueOf(v))
		return f.CanFloat() && math.IsNaN(f.Float())
	}
	return nan(x) && nan(y)
}

func TestFrequentValuesAreDecodedAsPGXDoes(t *testing.T) {
	t.Parallel()
	values := binaryValues()
	for oid := range decoders {
		for _, typ := range targets(oid) {
			for _, value := range values[oid] {
				if !sameAsPGX(t, oid, pgtype.BinaryFormatCode, typ, value) {
					t.Errorf("type %d into %s: %v was not decoded", oid, typ, value)
				}
			}
			if null := sameAsPGX(t, oid, pgtype.BinaryFormatCode, typ, nil); null != (typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice) {
				t.Errorf("type %d into %s: NULL was decoded: %t", oid, typ, null)
			}
		}
	}
}

func TestTextsAreDecodedInEitherForm(t *testing.T) {
	t.Parallel()
	for oid := range decoders {
		for _, typ := range targets(oid) {
			isText := oid == pgtype.TextOID || oid == pgtype.VarcharOID || oid == pgtype.BPCharOID
			if known := decoderOf(oid, pgtype.TextFormatCode, typ) != nil; known != isText {
				t.Errorf("type %d into %s: it is decoded in text form: %t", oid, typ, known)
			} else if known {
				sameAsPGX(t, oid, pgtype.TextFormatCode, typ, []byte("n\u00e4ive"))
			}
		}
	}
}

func TestTimesBeyondReasonAreLeftToPGX(t *testing.T) {
	t.Parallel()
	for _, micros := range []int64{math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, maxMicros + 1, minMicros - 1} {
		for _, oid := range []uint32{pgtype.TimestampOID, pgtype.TimestamptzOID} {
			if sameAsPGX(t, oid, pgtype.BinaryFormatCode, reflect.TypeFor[time.Time](), number(8, micros)) {
				t.Errorf("%d microseconds were decoded", micros)
			}
		}
	}
}

// FuzzDecoders looks for values of which pgx makes something else.
func FuzzDecoders(f *testing.F) {
	for oid, values := range binaryValues() {
		for _, v := range values {
			f.Add(oid, v)
		}
	}
	f.Fuzz(func(t *testing.T, oid uint32, value []byte) {
		for _, typ := range targets(oid) {
			sameAsPGX(t, oid, pgtype.BinaryFormatCode, typ, value)
		}
	})
}
