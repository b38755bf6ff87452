package dbname

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// setPostgres names the database and its schema. One that is not named is that
// of the role's name.
func (n *Name) setPostgres(user, database, searchPath string) {
	n.Target.User = user
	n.Target.Namespace = database
	if database == "" {
		n.Target.Namespace = user
	}
	if searchPath != "" && n.Target.Namespace != "" && !strings.ContainsAny(searchPath, ", ") {
		n.schema = searchPath
		n.Target.Namespace += "|" + searchPath
	}
}

// readPGX reads a configuration of pgx.
func (n *Name) readPGX(c reflect.Value) {
	if !c.IsValid() {
		return
	}
	all := []host{{name: text(c, "Host"), port: number(c, "Port")}}
	if f := field(c, "Fallbacks"); f.Kind() == reflect.Slice {
		for i := range f.Len() {
			all = append(all, host{name: text(f.Index(i), "Host"), port: number(f.Index(i), "Port")})
		}
	}
	n.setHosts(all)
	n.setPostgres(text(c, "User"), text(c, "Database"), entry(field(c, "RuntimeParams"), "search_path"))
}

// readPGXConnector reads a connector of pgx's stdlib: v, the struct itself, is
// somewhere in c.
func (n *Name) readPGXConnector(c driver.Connector, v reflect.Value) {
	switch {
	case v.Type().Name() == "driverConnector":
		d := c.Driver()
		if k, _ := known(d); k != pgx {
			d = nil // a wrapper's
		}
		n.askPGX(d, text(v, "name"))
	case field(v, "pool").IsValid():
		n.readPGX(field(field(field(v, "pool"), "config"), "ConnConfig"))
	default:
		n.readPGX(field(v, "ConnConfig"))
	}
}

// askPGX has pgx parse a data source name. Its connectors do that when they
// connect, and say in the error what they tried; a context that has ended keeps
// them from trying.
func (n *Name) askPGX(d driver.Driver, dsn string) {
	if _, ok := d.(driver.DriverContext); !ok {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			return // pgx is not part of the program
		}
		d = db.Driver()
		_ = db.Close() // nothing was opened
		if k, _ := known(d); k != pgx {
			return
		}
	}
	dc, ok := d.(driver.DriverContext)
	if !ok {
		return
	}
	c, err := dc.OpenConnector(dsn)
	if err != nil {
		return
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	conn, err := c.Connect(ended)
	if err == nil {
		_ = conn.Close()
		return
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if v := indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct && v.Type().Name() == "ConnectError" {
			n.readPGX(field(v, "Config"))
			return
		}
	}
}

// readPQConnector reads a connector of lib/pq.
func (n *Name) readPQConnector(v reflect.Value) {
	if c := field(v, "cfg"); c.IsValid() {
		n.readPQ(c)
		return
	}
	opts := field(v, "opts") // before 1.11
	port, _ := strconv.Atoi(entry(opts, "port"))
	n.setHosts([]host{{name: entry(opts, "host"), port: port}})
	n.setPostgres(entry(opts, "user"), entry(opts, "dbname"), entry(opts, "search_path"))
}

// readPQ reads a configuration of lib/pq.
func (n *Name) readPQ(c reflect.Value) {
	all := []host{pqHostOf(c)}
	if m := field(c, "Multi"); m.Kind() == reflect.Slice {
		for i := range m.Len() {
			all = append(all, pqHostOf(m.Index(i)))
		}
	}
	n.setHosts(all)
	n.setPostgres(text(c, "User"), text(c, "Database"), entry(field(c, "Runtime"), "search_path"))
}

// pqHostOf reads a server of lib/pq's configuration.
func pqHostOf(c reflect.Value) host {
	address := ""
	if a := field(c, "Hostaddr"); a.IsValid() && !a.IsZero() {
		told, ok := value[netip.Addr](a)
		if !ok {
			return host{}
		}
		address = told.String()
	}
	return pqHost(text(c, "Host"), address, number(c, "Port"))
}

// readBun reads a connector of bun's pgdriver.
func (n *Name) readBun(v reflect.Value) {
	for _, f := range v.Fields() {
		c := indirect(f)
		if c.Kind() != reflect.Struct || text(c, "Addr") == "" {
			continue
		}
		n.setHosts([]host{address(text(c, "Network"), text(c, "Addr"))})
		n.setPostgres(text(c, "User"), text(c, "Database"), entry(field(c, "ConnParams"), "search_path"))
		return
	}
}
