package postgres

import (
	"errors"
	"strconv"
	"strings"
)

// argumentError reports an argument that could not be encoded as the type that
// the statement expects. pgx's own message quotes the value.
type argumentError struct {
	number int    // from 1
	typ    string // of PostgreSQL; "" if pgx does not say it
	why    string // of pgx; "" if it may show the value
	err    error
}

// Error names the argument and its type.
func (e *argumentError) Error() string {
	msg := "argument " + strconv.Itoa(e.number) + " can't be written"
	if e.typ != "" {
		msg += " as " + e.typ
	}
	if e.why != "" {
		msg += ": " + e.why
	}
	return msg
}

// Unwrap returns pgx's error, whose text may hold the value.
func (e *argumentError) Unwrap() error { return e.err }

// pgx 5's messages, in ExtendedQueryBuilder.Build and pgtype.Map.Encode.
const (
	encodePrefix = "failed to encode args["
	encodeFormat = " format for "
	encodeNoPlan = "cannot find encode plan"
)

// hideArgument replaces the value in an encoding error by the argument's number
// and type. Other errors are left alone.
func hideArgument(err error) error {
	if number, encoding := unencoded(err); number > 0 {
		typ, why := encodingOf(encoding)
		return &argumentError{number: number, typ: typ, why: why, err: err}
	}
	return err
}

// unencoded returns the number of the argument that err, or an error in it, is
// about, and the encoding error; 0 if it is about none.
func unencoded(err error) (number int, encoding error) {
	switch e := err.(type) { //nolint:errorlint // it is taken apart
	case nil:
		return 0, nil
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if number, encoding = unencoded(err); number > 0 {
				return number, encoding
			}
		}
		return 0, nil
	}
	inner := errors.Unwrap(err)
	if rest, ok := strings.CutPrefix(err.Error(), encodePrefix); ok {
		digits, _, _ := strings.Cut(rest, "]")
		if i, err := strconv.Atoi(digits); err == nil {
			return i + 1, inner
		}
	}
	return unencoded(inner)
}

// encodingOf returns the type that pgx could not encode a value as, and the
// reason, unless that is part of the value. The type follows the value, which
// can contain anything.
func encodingOf(err error) (typ, why string) {
	if err == nil {
		return "", ""
	}
	text := err.Error()
	if cause := errors.Unwrap(err); cause != nil {
		if cause.Error() == encodeNoPlan {
			why = encodeNoPlan
		}
		text = strings.TrimSuffix(text, ": "+cause.Error())
	}
	i := strings.LastIndex(text, encodeFormat)
	if i < 0 {
		return "", why
	}
	typ, _, ok := strings.Cut(text[i+len(encodeFormat):], " (OID ")
	if !ok {
		return "", why
	}
	return typ, why
}
