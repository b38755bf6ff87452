package dbname

import (
	"net"
	"reflect"
	"strconv"
	"strings"
)

// readMySQL reads a configuration of go-sql-driver.
func (n *Name) readMySQL(c reflect.Value) {
	if !c.IsValid() {
		return
	}
	n.setHosts([]host{address(text(c, "Net"), text(c, "Addr"))})
	n.Target.User, n.Target.Namespace = text(c, "User"), text(c, "DBName")
}

// address splits the address of a server in a network: a socket's path and
// what a dialler of the service's own understands have no port.
func address(network, addr string) host {
	if strings.HasPrefix(network, "unix") {
		return host{name: addr}
	}
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return host{name: addr}
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return host{name: addr}
	}
	return host{name: name, port: number}
}
