package dbname

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// libpqSettings is what lib/pq makes of the environment, the name and the
// service it names, each in its turn: the parts that matter here. lib/pq has no
// way to be asked.
type libpqSettings struct {
	values map[string]string // by the key words of a name

	// What stands behind the first comma of host, hostaddr and port. Those of the
	// environment stay when the name has others.
	moreHosts, moreAddresses, morePorts []string
}

// readLibpq reads a data source name as lib/pq does. It reports whether the
// name parses.
func (n *Name) readLibpq(dsn string) bool {
	s := libpqSettings{values: map[string]string{}}
	words, ok := libpqWords(dsn)
	if !ok || !s.add(libpqEnvironment()) || !s.add(words) {
		return false
	}
	if name, ok := words["database"]; ok {
		s.values["dbname"] = name
	}
	s.values["search_path"] = words["search_path"]
	if service := s.values["service"]; service != "" {
		found, ok := libpqService(service)
		if !ok || !s.add(found) {
			return false
		}
	}
	hosts, ok := s.hosts()
	if !ok {
		return false
	}
	role, named := s.values["user"]
	if !named {
		role = processUser()
	}
	n.setHosts(hosts)
	n.setPostgres(role, s.values["dbname"], s.values["search_path"])
	return true
}

// add takes over settings, and reports whether lib/pq takes them.
func (s *libpqSettings) add(from map[string]string) bool {
	for _, key := range []string{"dbname", "user", "service"} {
		if value, ok := from[key]; ok {
			s.values[key] = value
		}
	}
	for key, list := range map[string]struct {
		more  *[]string
		empty string // what an empty item stands for
		takes func(string) bool
	}{
		"host":     {&s.moreHosts, "localhost", func(string) bool { return true }},
		"hostaddr": {&s.moreAddresses, "", isAddress},
		"port":     {&s.morePorts, "5432", isPort},
	} {
		value, ok := from[key]
		if !ok {
			continue
		}
		items := strings.Split(value, ",")
		for i, item := range items[1:] {
			if items[i+1] = or(item, list.empty); items[i+1] != "" && !list.takes(items[i+1]) {
				return false
			}
		}
		if !list.takes(items[0]) {
			return false
		}
		s.values[key] = items[0]
		*list.more = append(*list.more, items[1:]...)
	}
	return true
}

// hosts pairs hosts with addresses and ports.
func (s *libpqSettings) hosts() (all []host, ok bool) {
	name, named := s.values["host"]
	address := s.values["hostaddr"]
	if named && name != "" && address != "" && len(s.moreHosts) != len(s.moreAddresses) {
		return nil, false
	}
	count := max(len(s.moreHosts), len(s.moreAddresses))
	if count > 0 && len(s.morePorts) > 0 && count != len(s.morePorts) {
		return nil, false
	}
	if len(s.moreAddresses) > len(s.moreHosts) {
		s.moreHosts = make([]string, count)
	}
	if len(s.moreAddresses) > 0 && len(s.moreAddresses) < count {
		return nil, false
	}
	if !named {
		name = "localhost"
	}
	port, _ := strconv.Atoi(or(s.values["port"], "5432"))
	all = append(all, pqHost(name, address, port))
	for i, name := range s.moreHosts {
		address, port := "", port
		if i < len(s.moreAddresses) {
			address = s.moreAddresses[i]
		}
		if i < len(s.morePorts) {
			port, _ = strconv.Atoi(s.morePorts[i])
		}
		all = append(all, pqHost(name, address, port))
	}
	return all, true
}

// pqHost returns a server of lib/pq's: by its name, or by the address that it
// dials instead where none is given but the default.
func pqHost(name, address string, port int) host {
	if ip, err := netip.ParseAddr(address); err == nil {
		address = ip.String()
	}
	if address != "" && (name == "" || name == "localhost") {
		return host{name: address, port: port}
	}
	return host{name: name, port: port, dials: address}
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// processUser returns the role that lib/pq connects as if none is named.
func processUser() string {
	if runtime.GOOS == "windows" {
		return "" // it asks the system for another name than Go's
	}
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

// libpqEnvironment returns what the environment says, by the key words of a name.
func libpqEnvironment() map[string]string {
	found := map[string]string{}
	for env, key := range map[string]string{
		"PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user", "PGSERVICE": "service",
	} {
		if value, ok := os.LookupEnv(env); ok {
			found[key] = value
		}
	}
	return found
}

// libpqWords reads both forms of a name.
func libpqWords(dsn string) (map[string]string, bool) {
	if isPostgresURL(dsn) {
		var ok bool
		if dsn, ok = libpqFromURL(dsn); !ok {
			return nil, false
		}
	}
	return keyValues(dsn)
}

// libpqFromURL writes a URL in the other form, in lib/pq's order: of a setting
// that is in the URL twice the greater one counts.
func libpqFromURL(dsn string) (string, bool) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", false
	}
	var words []string
	add := func(key, value string) {
		if value != "" {
			words = append(words, key+"='"+strings.NewReplacer(`'`, `\'`, `\`, `\\`).Replace(value)+"'")
		}
	}
	add("user", u.User.Username())
	if host, port, err := net.SplitHostPort(u.Host); err != nil {
		add("host", u.Host)
	} else {
		add("host", host)
		add("port", port)
	}
	add("dbname", strings.TrimPrefix(u.Path, "/"))
	for key := range u.Query() {
		add(key, u.Query().Get(key))
	}
	slices.Sort(words)
	return strings.Join(words, " "), true
}

func isPostgresURL(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}
