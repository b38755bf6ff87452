package dbname

import (
	"bufio"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// readLibpq reads a data source name as lib/pq does, which has no way to be
// asked: the environment, then the name, then the service it names. It reports
// whether the name parses.
func (n *Name) readLibpq(dsn string) bool {
	settings, ok := libpqSettings(dsn)
	if !ok {
		return false
	}
	hosts, ok := libpqHosts(settings)
	if !ok {
		return false
	}
	n.setHosts(hosts)
	n.setPostgres(or(settings["user"], processUser()), settings["dbname"], settings["search_path"])
	return true
}

// processUser returns the role that lib/pq connects as if none is named.
func processUser() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// libpqSettings returns the settings that matter here, or false if lib/pq
// refuses the name.
func libpqSettings(dsn string) (map[string]string, bool) {
	settings := map[string]string{"host": "localhost", "port": "5432"}
	set := func(from map[string]string, key, as string) {
		if value, ok := from[key]; ok {
			settings[as] = value
		}
	}
	for env, key := range map[string]string{
		"PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user",
		"PGSERVICE": "service", "PGSERVICEFILE": "servicefile",
	} {
		if value, ok := os.LookupEnv(env); ok {
			settings[key] = value
		}
	}
	words, ok := libpqWords(dsn)
	if !ok {
		return nil, false
	}
	for _, key := range []string{"host", "hostaddr", "port", "dbname", "user", "service", "search_path"} {
		set(words, key, key)
	}
	set(words, "database", "dbname")
	if settings["service"] == "" {
		return settings, true
	}
	service, ok := libpqService(settings["servicefile"], settings["service"])
	if !ok {
		return nil, false
	}
	for _, key := range []string{"host", "hostaddr", "port", "dbname", "user"} {
		set(service, key, key)
	}
	return settings, true
}

// libpqWords reads both forms of a name.
func libpqWords(dsn string) (map[string]string, bool) {
	if !isPostgresURL(dsn) {
		return keyValues(dsn)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, false
	}
	words := map[string]string{}
	set := func(key, value string) {
		if value != "" {
			words[key] = value
		}
	}
	set("user", u.User.Username())
	if host, port, err := net.SplitHostPort(u.Host); err != nil {
		set("host", u.Host)
	} else {
		set("host", host)
		set("port", port)
	}
	set("dbname", strings.TrimPrefix(u.Path, "/"))
	for key := range u.Query() {
		set(key, u.Query().Get(key))
	}
	return words, true
}

func isPostgresURL(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

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

// libpqHosts pairs hosts with ports.
func libpqHosts(settings map[string]string) (all []host, ok bool) {
	names, ports := strings.Split(settings["host"], ","), strings.Split(settings["port"], ",")
	if addresses := settings["hostaddr"]; addresses != "" && len(strings.Split(addresses, ",")) > len(names) {
		names = strings.Split(addresses, ",")
	}
	if len(ports) > 1 && len(ports) != len(names) {
		return nil, false
	}
	for i, name := range names {
		port := ports[0]
		if len(ports) > 1 {
			port = ports[i]
		}
		if port == "" && i > 0 {
			port = "5432"
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, false
		}
		if name == "" && i > 0 {
			name = "localhost"
		}
		all = append(all, host{name, int(number)})
	}
	return all, true
}

// libpqService returns the settings of a service, or false if there is none.
func libpqService(path, name string) (map[string]string, bool) {
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
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
	for lines := bufio.NewScanner(file); lines.Scan(); {
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
	return settings, settings != nil
}
