package dbname

import (
	"bufio"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"unicode"
)

// keyValues reads "key=value key='quoted value'".
func keyValues(dsn string) (map[string]string, bool) {
	out := map[string]string{}
	for s := strings.TrimLeftFunc(dsn, unicode.IsSpace); s != ""; s = strings.TrimLeftFunc(s, unicode.IsSpace) {
		end := strings.IndexFunc(s, func(r rune) bool { return r == '=' || unicode.IsSpace(r) })
		if end < 0 {
			return nil, false
		}
		key := s[:end]
		raw, ok := strings.CutPrefix(strings.TrimLeftFunc(s[end:], unicode.IsSpace), "=")
		if !ok {
			return nil, false
		}
		out[key], s, ok = libpqValue(strings.TrimLeftFunc(raw, unicode.IsSpace))
		if !ok {
			return nil, false
		}
	}
	return out, true
}

// libpqValue takes one value, quoted or bare, off the front of s.
func libpqValue(s string) (value, rest string, ok bool) {
	s, quoted := strings.CutPrefix(s, "'")
	var b strings.Builder
	escaped := false
	for i, r := range s {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case quoted && r == '\'':
			return b.String(), s[i+1:], true
		case !quoted && unicode.IsSpace(r):
			return b.String(), s[i:], true
		default:
			b.WriteRune(r)
		}
	}
	return b.String(), "", !quoted && !escaped
}

// libpqService returns the settings of a service, or false if there is none.
func libpqService(name string) (map[string]string, bool) {
	path, named := os.LookupEnv("PGSERVICEFILE")
	if !named {
		home, ok := homeFolder()
		if !ok {
			return nil, false
		}
		path = filepath.Join(home, ".pg_service.conf")
	}
	file, err := os.Open(path) //nolint:gosec // the driver opens it too
	if err != nil {
		return nil, false
	}
	defer file.Close() //nolint:errcheck // it was read
	var settings map[string]string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		header, isHeader := strings.CutPrefix(line, "[")
		key, value, pair := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case isHeader && strings.HasSuffix(header, "]"):
			if settings != nil {
				return settings, true
			}
			if strings.TrimSpace(strings.TrimSuffix(header, "]")) == name {
				settings = map[string]string{}
			}
		case settings == nil:
		case !pair:
			return nil, false
		default:
			settings[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return settings, settings != nil && lines.Err() == nil
}

func homeFolder() (string, bool) {
	if home, err := os.UserHomeDir(); err == nil {
		return home, true
	}
	u, err := user.Current()
	if err != nil {
		return "", false
	}
	return u.HomeDir, true
}
