package dbname

import (
	"database/sql/driver"
	"net"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
)

// teller is a connector, or a connection, that says which database it leads to.
type teller interface{ Target() sp.Target }

// Reached returns the database that an open connection leads to, and whether
// the connection tells more than the name did, or something else. Fields that
// it does not tell are those of the name.
func (n *Name) Reached(conn driver.Conn) (sp.Target, bool) {
	if n.told {
		says, ok := conn.(teller)
		if !ok {
			return n.Target, false
		}
		t := says.Target()
		return t, t != n.Target
	}
	if raw, ok := conn.(interface{ Raw() driver.Conn }); ok {
		conn = raw.Raw()
	}
	now := *n
	now.hosts, now.schema = nil, ""
	now.Target = sp.Target{System: n.Target.System}
	v := indirect(reflect.ValueOf(conn))
	p, _ := packageOf(v)
	switch p.kind {
	case pgx:
		now.reachedPGX(reflect.ValueOf(conn), n.hosts)
	case pq:
		c := field(v, "cfg")
		now.setHosts([]host{pqHostOf(c)})
		now.setPostgres(text(c, "User"), text(c, "Database"), entry(field(c, "Runtime"), "search_path"))
	case mysql:
		now.readMySQL(field(v, "cfg"))
	}
	if now.Target.Host == "" {
		return n.Target, false
	}
	if len(n.hosts) == 0 || n.Target.Host != now.Target.Host || n.Target.Port != now.Target.Port ||
		n.Target.Namespace != now.Target.Namespace || n.Target.System != now.Target.System {
		return now.Target, true
	}
	return n.Target, false
}

// reachedPGX asks a connection of pgx's stdlib for the address of its server,
// and finds the host that has it.
func (n *Name) reachedPGX(conn reflect.Value, among []host) {
	inner, ok := ask(conn, "Conn")
	if !ok {
		return
	}
	n.readPGX(field(field(inner, "config"), "Config"))
	configured := n.hosts
	if len(configured) == 0 {
		configured = among
	}
	low, ok := ask(inner, "PgConn")
	if !ok {
		return
	}
	if says, ok := reflect.TypeAssert[interface{ ParameterStatus(string) string }](low); ok && says.ParameterStatus("crdb_version") != "" {
		n.Target.System = sp.CockroachDB
	}
	if len(configured) < 2 {
		return
	}
	socket, ok := ask(low, "Conn")
	if !ok {
		return
	}
	if c, ok := reflect.TypeAssert[net.Conn](socket); ok {
		n.setHost(hostOf(c.RemoteAddr(), configured))
	}
}

// ask calls a method without parameters that returns one value.
func ask(v reflect.Value, method string) (reflect.Value, bool) {
	if !v.IsValid() || !v.CanInterface() {
		return reflect.Value{}, false
	}
	var m reflect.Value
	switch method { // each by a constant, so that the linker can drop the rest
	case "Conn":
		m = v.MethodByName("Conn")
	case "PgConn":
		m = v.MethodByName("PgConn")
	}
	if !m.IsValid() || m.Type().NumIn() != 0 || m.Type().NumOut() != 1 {
		return reflect.Value{}, false
	}
	out := m.Call(nil)[0]
	if !out.IsValid() || out.Kind() == reflect.Pointer && out.IsNil() {
		return reflect.Value{}, false
	}
	return out, true
}

// hostOf returns the configured host at an address: the one that is named by
// it, or the only one with its port. If there is none the address itself is
// the answer.
func hostOf(addr net.Addr, configured []host) host {
	if addr == nil {
		return host{}
	}
	if addr.Network() == "unix" {
		for _, h := range configured {
			if filepath.Join(h.name, ".s.PGSQL.")+strconv.Itoa(h.port) == addr.String() {
				return h
			}
		}
		return host{name: addr.String()}
	}
	reached := address(addr.Network(), addr.String())
	var same []host
	for _, h := range configured {
		switch {
		case h == reached:
			return h
		case h.port == reached.port && !strings.HasPrefix(h.name, "/") && net.ParseIP(h.name) == nil:
			same = append(same, h)
		}
	}
	if len(same) == 1 {
		return same[0]
	}
	return reached
}
