package postgres

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// decode returns a value received from the server in the form that
// [backend.Block] promises.
func decode(m *pgtype.Map, oid uint32, format int16, raw []byte) (any, error) {
	if raw == nil {
		return nil, nil
	}
	switch oid {
	case pgtype.JSONOID:
		return string(raw), nil
	case pgtype.JSONBOID:
		if format == pgtype.BinaryFormatCode {
			raw = raw[1:] // the version
		}
		return string(raw), nil
	case pgtype.QCharOID: // a rune to pgx
		return string(raw), nil
	}
	t, known := m.TypeForOID(oid)
	switch {
	case known:
		v, err := t.Codec.DecodeValue(m, oid, format, raw)
		if err != nil {
			return nil, err
		}
		return normalize(v)
	case format == pgtype.BinaryFormatCode:
		return slices.Clone(raw), nil
	default:
		return string(raw), nil
	}
}

// normalize turns a value of a pgx type into one that means the same on every
// database, if there is one.
func normalize(v any) (any, error) {
	switch x := v.(type) {
	case int16:
		return int64(x), nil
	case int32:
		return int64(x), nil
	case uint32: // oid
		return int64(x), nil
	case float32:
		// By way of the shortest decimal that denotes it, as it was written.
		f, err := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
		return f, err
	case time.Time:
		return x.UTC(), nil
	case [16]byte:
		return uuid(x), nil
	case []any:
		return list(x)
	case pgtype.InfinityModifier:
		return x.String(), nil
	case driver.Valuer:
		return x.Value()
	case fmt.Stringer: // addresses and networks
		return x.String(), nil
	}
	return v, nil
}

// list normalizes the elements of an array.
func list(elements []any) (any, error) {
	for i, e := range elements {
		v, err := normalize(e)
		if err != nil {
			return nil, err
		}
		elements[i] = v
	}
	return elements, nil
}

// uuid writes a UUID as PostgreSQL prints it.
func uuid(b [16]byte) string {
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
