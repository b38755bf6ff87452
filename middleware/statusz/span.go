package statusz

import (
	"fmt"
	"strconv"
	"time"
)

// span is a duration as the page shows it: a number of seconds in JSON, a short
// text for people.
type span time.Duration

// MarshalJSON returns the number of seconds.
func (s span) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// String returns three digits and a unit, or two units from a minute on.
func (s span) String() string {
	d := time.Duration(s)
	switch {
	case d <= 0:
		return "0"
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < time.Millisecond:
		return digits(d, time.Microsecond) + " µs"
	case d < time.Second:
		return digits(d, time.Millisecond) + " ms"
	case d < time.Minute:
		return digits(d, time.Second) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// digits returns d in units, cut to three digits.
func digits(d, unit time.Duration) string {
	whole := d / unit
	switch {
	case whole >= 100:
		return strconv.Itoa(int(whole))
	case whole >= 10:
		return fmt.Sprintf("%d.%d", whole, d%unit/(unit/10))
	default:
		return fmt.Sprintf("%d.%02d", whole, d%unit/(unit/100))
	}
}

// grouped returns a number with a thin space between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u2009" + s[i:]
	}
	return s
}

// percent returns a part of a whole in percent, with a digit behind the point
// if it is small.
func percent(part, whole int64) string {
	switch p := 100 * float64(part) / float64(max(whole, 1)); {
	case part == 0:
		return "0 %"
	case p < 0.1:
		return "< 0.1 %"
	case p < 10:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// rate returns how many there were per second.
func rate(n int64, in span) string {
	switch r := float64(n) / max(time.Duration(in).Seconds(), 1); {
	case r == 0:
		return "0"
	case r < 0.1:
		return "< 0.1"
	case r < 10:
		return fmt.Sprintf("%.1f", r)
	default:
		return grouped(int64(r + 0.5))
	}
}
