package scan

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unsafe"
)

// storeTime reads a time, or its representation in a database that has no type
// for times; see [WithConversions].
func storeTime(p unsafe.Pointer, src any) error {
	var t time.Time
	ok := true
	switch v := src.(type) {
	case nil:
		return ErrNull
	case time.Time:
		t = v
	case string:
		t, ok = parseTime(v)
	case []byte:
		t, ok = parseTime(string(v))
	case int64:
		t, ok = ofSeconds(v)
	case float64:
		t, ok = ofJulianDay(v)
	default:
		ok = false
	}
	if !ok {
		return convertError(fmt.Sprintf("a value of type %T that is no time", src))
	}
	*(*time.Time)(p) = t
	return nil
}

// The bounds of SQLite's dates, from 0000-01-01 to 9999-12-31, in seconds
// since 1970 (https://sqlite.org/lang_datefunc.html). Milliseconds of our time
// lie outside, so they are not taken for seconds.
const (
	minSeconds = -62167219200
	maxSeconds = 253402300799
)

func ofSeconds(n int64) (time.Time, bool) {
	return time.Unix(n, 0).UTC(), n >= minSeconds && n <= maxSeconds
}

// unixEpoch is 1970-01-01 as a Julian day.
const unixEpoch = 2440587.5

// ofJulianDay reads a Julian day to the millisecond, as SQLite does.
func ofJulianDay(day float64) (time.Time, bool) {
	seconds := (day - unixEpoch) * 86400
	if math.IsNaN(seconds) || seconds < minSeconds || seconds > maxSeconds+1 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), true
}

// parseTime reads the forms that databases and their drivers write: a date,
// and after a space or a T hours and minutes, seconds, a fraction and a zone.
func parseTime(s string) (time.Time, bool) {
	if strings.HasPrefix(s, "0000-00-00") { // MySQL's zero date; go-sql-driver reads it so
		return time.Time{}, true
	}
	if fields := strings.SplitN(s, " ", 4); len(fields) == 4 { // time.Time.String: date, clock, offset, then its name
		s = s[:len(s)-len(fields[3])-1]
	}
	if len(s) <= len(time.DateOnly) {
		t, err := time.Parse(time.DateOnly, s)
		return t, err == nil
	}
	// In UTC, or a zone with the machine's offset would become the machine's own.
	t, err := time.ParseInLocation(clockLayout(s)+zoneLayout(s[len(time.DateOnly)+1:]), s, time.UTC)
	return t, err == nil
}

// clockLayout returns the layout of a date with a time of day.
func clockLayout(s string) string {
	const withoutSeconds = len("2006-01-02T15:04")
	t, seconds := s[len(time.DateOnly)] == 'T', len(s) > withoutSeconds && s[withoutSeconds] == ':'
	switch {
	case t && seconds:
		return "2006-01-02T15:04:05"
	case t:
		return "2006-01-02T15:04"
	case seconds:
		return time.DateTime
	}
	return "2006-01-02 15:04"
}

// zoneLayout returns the layout of the zone after a time of day.
func zoneLayout(clock string) string {
	at := strings.IndexAny(clock, " +-Z")
	if at < 0 {
		return ""
	}
	switch zone := clock[at:]; {
	case zone == "Z":
		return "Z"
	case zone[0] == ' ' && strings.Contains(zone, ":"):
		return " -07:00"
	case zone[0] == ' ':
		return " -0700"
	case strings.Contains(zone, ":"):
		return "-07:00"
	case len(zone) == len("-07"):
		return "-07"
	}
	return "-0700"
}
