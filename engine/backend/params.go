package backend

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Params returns the names of the URL's parameters, sorted.
func (u *URL) Params() []string { return slices.Sorted(maps.Keys(u.params)) }

// ParamReader reads the parameters of a [URL] for a dialect. It keeps the first
// error, which names the parameter and, unless it is a secret, the value, and
// notes which parameters were read.
type ParamReader struct {
	url   *URL
	asked []string
	err   error
}

// Read returns a reader of the URL's parameters.
func (u *URL) Read() *ParamReader { return &ParamReader{url: u} }

// All returns every value of a parameter, in the order of the URL.
func (r *ParamReader) All(name string) []string {
	r.asked = append(r.asked, name)
	return r.url.params[name]
}

// Has reports whether the URL has the parameter.
func (r *ParamReader) Has(name string) bool { return len(r.All(name)) > 0 }

// String returns a parameter's value, or fallback if the URL does not have it.
// More than one value is an error.
func (r *ParamReader) String(name, fallback string) string {
	switch values := r.All(name); len(values) {
	case 0:
		return fallback
	case 1:
		return values[0]
	default:
		r.fail(name, "is given more than once")
		return fallback
	}
}

// OneOf returns a parameter's value, in lower case, or fallback if the URL does
// not have it. A value that is not one of those allowed is an error.
func (r *ParamReader) OneOf(name, fallback string, allowed ...string) string {
	if !r.Has(name) {
		return fallback
	}
	value := strings.ToLower(r.String(name, fallback))
	if !slices.Contains(allowed, value) {
		r.refuse(name, value, "is none of "+strings.Join(allowed, ", "))
	}
	return value
}

// Bool returns a parameter's value: true, yes, on and 1 are true; false, no,
// off and 0 are false. It returns fallback if the URL does not have it.
func (r *ParamReader) Bool(name string, fallback bool) bool {
	if !r.Has(name) {
		return fallback
	}
	switch value := strings.ToLower(r.String(name, "")); value {
	case "true", "yes", "on", "1":
		return true
	case "false", "no", "off", "0":
		return false
	default:
		r.refuse(name, value, "is neither true nor false")
		return fallback
	}
}

// Int returns a parameter's value, a whole number between low and high, or
// fallback if the URL does not have it.
func (r *ParamReader) Int(name string, fallback, low, high int) int {
	if !r.Has(name) {
		return fallback
	}
	value := r.String(name, "")
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		r.refuse(name, value, fmt.Sprintf("is no whole number between %d and %d", low, high))
		return fallback
	}
	return n
}

// Duration returns a parameter's value, a duration in Go's form, such as 1m30s,
// or a whole number of seconds, or fallback if the URL does not have it. A
// negative one is an error.
func (r *ParamReader) Duration(name string, fallback time.Duration) time.Duration {
	if !r.Has(name) {
		return fallback
	}
	value := r.String(name, "")
	d, err := time.ParseDuration(value)
	if n, nerr := strconv.Atoi(value); nerr == nil && n < 1<<31 {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 {
		r.refuse(name, value, "is no duration such as 5s and no number of seconds")
		return fallback
	}
	return d
}

// Fail records an error about a parameter, unless there is one already.
func (r *ParamReader) Fail(name, what string) { r.fail(name, what) }

func (r *ParamReader) fail(name, what string) {
	if r.err == nil {
		r.err = fmt.Errorf("engine: open: parameter %q of %s: %s", name, r.url.Scheme, what)
	}
}

func (r *ParamReader) refuse(name, value, why string) {
	if r.url.secretive {
		value = mask
	}
	r.fail(name, strconv.Quote(clip(value))+" "+why)
}

// Err returns the first error, or one that names a parameter that was never
// read. Call it after reading all parameters.
func (r *ParamReader) Err() error {
	if r.err != nil {
		return r.err
	}
	names := r.url.Params()
	if r.url.secretive && slices.Contains(names, "password") {
		// Which of several comes first must not depend on the password.
		names = append([]string{"password"}, names...)
	}
	for _, name := range names {
		if !slices.Contains(r.asked, name) {
			slices.Sort(r.asked)
			known := strings.Join(slices.Compact(r.asked), ", ")
			return fmt.Errorf("engine: open: unknown parameter%s of %s: known are %s", r.url.quoted(name), r.url.Scheme, known)
		}
	}
	return nil
}
