package dbname

import (
	"database/sql/driver"
	"net"
	"reflect"
	"slices"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
)

// Name is what is known of a database before a connection is open.
type Name struct {
	// Target is the database. Of several hosts none is named: which one it is
	// a connection tells; the list is the target's identity.
	Target sp.Target

	kind    kind
	hosts   []host // as configured, without repetitions
	schema  string // the one schema of the connection's search path, if it is set
	secrets []string

	told      bool // by the connector's own method: its connections may tell more by theirs
	guarded   bool // an error of connecting may show parts of a password
	malformed bool // the driver can't parse it, and says so when it connects
}

// host is one of the servers that a name has.
type host struct {
	name  string
	port  int
	dials string // the address that is dialled whatever the name says, if it is given
}

// String returns what tells a host from others.
func (h host) String() string {
	t := sp.Target{Host: h.name, Port: h.port}
	return t.String() + h.dials
}

// Parse reads a data source name with the driver that it is for. driverName is
// the name the driver is registered under, or "". The error says that the name
// can be read in several ways, one of which makes a host, a database or a
// parameter of a part of the password; it quotes nothing.
func Parse(driverName string, d driver.Driver, dsn string) (Name, error) {
	k, system := known(d)
	n := Name{kind: k}
	switch {
	case d == nil:
		k, system = byName(driverName)
		if n.kind = k; k == other {
			_, system = byScheme(dsn)
		}
	case k == other && system == sp.OtherSQL:
		if k, system = byName(driverName); k == other {
			k, system = byScheme(dsn)
		}
	}
	n.Target.System = system
	if n.kind == other {
		n.secrets = secretsOf(dsn)
	}
	if err := ambiguous(k, dsn); err != nil {
		return n, err
	}
	n.guarded = mixed(k, dsn)
	if inner, ok := innermost(d, k); ok {
		d = inner
	}
	switch k {
	case pgx:
		n.askPGX(d, dsn)
	case pq:
		n.malformed = !n.readLibpq(dsn)
	case mysql, bunPG:
		n.askConnector(d, dsn)
	case sqlite:
		n.readSQLite(dsn)
	}
	return n, nil
}

// innermost returns the driver itself where d is a wrapper around it.
func innermost(d driver.Driver, k kind) (driver.Driver, bool) {
	if k == other || d == nil {
		return nil, false
	}
	v, found := find(reflect.ValueOf(d), depth)
	if found == other || !v.CanInterface() {
		return nil, false
	}
	inner, ok := reflect.TypeAssert[driver.Driver](v)
	if !ok && v.CanAddr() {
		inner, ok = reflect.TypeAssert[driver.Driver](v.Addr())
	}
	return inner, ok
}

// askConnector has the driver read the name, if it can without connecting.
func (n *Name) askConnector(d driver.Driver, dsn string) {
	dc, ok := d.(driver.DriverContext)
	if !ok {
		return
	}
	c, err := dc.OpenConnector(dsn)
	if err != nil {
		return // opening the database says so
	}
	n.readConnector(c)
}

// Of returns what a connector tells of its database: one of a known driver, one
// that wraps it, or one with a method Target. An unknown one tells nothing but
// what its driver is.
func Of(c driver.Connector) Name {
	if t, ok := c.(teller); ok {
		return Name{Target: t.Target(), kind: other, told: true}
	}
	k, system := known(c)
	n := Name{Target: sp.Target{System: system}, kind: k}
	if k != other {
		n.readConnector(c)
		return n
	}
	n.kind, n.Target.System = known(c.Driver())
	return n
}

// readConnector reads the configuration inside a connector.
func (n *Name) readConnector(connector driver.Connector) {
	c := reflect.ValueOf(connector)
	v, k := find(c, depth)
	if v.Kind() != reflect.Struct {
		return
	}
	switch k {
	case pgx:
		n.readPGXConnector(connector, v)
	case pq:
		n.readPQConnector(v)
	case bunPG:
		n.readBun(v)
	case mysql:
		n.readMySQL(field(v, "cfg"))
	case sqlite:
		if dsn := text(v, "dsn"); dsn != "" {
			n.readSQLite(dsn)
		}
	}
}

// setHosts names the server, or the cluster. One without a name is known to be
// there: drivers dial it on a machine that nobody told them.
func (n *Name) setHosts(all []host) {
	for _, h := range all {
		if !slices.Contains(n.hosts, h) {
			n.hosts = append(n.hosts, h)
		}
	}
	switch {
	case len(n.hosts) == 1 && n.hosts[0].name == "":
		n.hosts, n.Target = nil, handles(n.Target)
	case len(n.hosts) == 1:
		n.setHost(n.hosts[0])
	case len(n.hosts) > 1:
		var id strings.Builder
		for _, h := range n.hosts {
			id.WriteString(h.String() + ",")
		}
		n.Target = n.Target.WithIdentity(id.String())
	}
}

// handles returns a target that no other handle has, although it has a name.
func handles(t sp.Target) sp.Target {
	name := t.Namespace
	t.Host, t.Namespace = "", ""
	t = t.WithIdentity("").Apart()
	t.Namespace = name
	return t
}

// setHost names the server.
func (n *Name) setHost(h host) {
	n.Target = n.Target.WithIdentity(h.dials)
	n.Target.Host, n.Target.Port = h.name, h.port
	if h.name == "" {
		n.Target.Port = 0
	}
}

// Several reports whether the name has several hosts, of which a connection
// tells the one it reached.
func (n *Name) Several() bool { return len(n.hosts) > 1 || n.told && n.Target.Host == "" }

// OfConfig reads a configuration of pgx, a *pgx.ConnConfig.
func OfConfig(config any) Name {
	n := Name{Target: sp.Target{System: sp.PostgreSQL}, kind: pgx}
	n.readPGX(indirect(reflect.ValueOf(config)))
	return n
}

// Check reports an error if a connection string of pgx can be read in several
// ways; see [Parse].
func Check(connString string) (Name, error) {
	return Name{kind: pgx, guarded: mixed(pgx, connString)}, ambiguous(pgx, connString)
}

// At returns the target of a connection to the address, of several hosts.
func (n *Name) At(addr net.Addr) sp.Target {
	at := *n
	at.setHost(hostOf(addr, n.hosts))
	return at.Target
}
