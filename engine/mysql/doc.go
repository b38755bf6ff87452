// Package mysql is the MySQL and MariaDB dialect for package engine, on
// github.com/go-sql-driver/mysql. Import it for its side effect:
//
//	import _ "github.com/sessionproxy/sessionproxy/engine/mysql"
//
//	eng, err := engine.Open(ctx, "mysql://user:password@host:3306/shop")
//
// # URLs
//
//	mysql://user:password@host:3306/database
//	mariadb://user:password@host/database
//	mysql://user@%2Frun%2Fmysqld%2Fmysqld.sock/database
//
// Both schemes mean the same: the server reports which it is. Parameters, with
// their defaults:
//
//	tls=preferred            false, preferred, true or skip-verify
//	tls_ca, tls_cert, tls_key  files in PEM form; tls_ca implies tls=true
//	tls_server_name          the name to verify, if not the host
//	connect_timeout=10s      for dialling and the handshake
//	read_timeout, write_timeout  for each packet; none
//	application_name         program_name among the connection's attributes
//	collation                of the connection; that of utf8mb4
//	sql_mode                 of the session; the server's own
//	max_allowed_packet=67108864  bytes of a packet to send; 0 asks the server
//	statement_cache=64       prepared statements kept by each connection; 0 is none
//
// # What is set
//
// An UPDATE counts the rows it matched (clientFoundRows), as on other
// databases. Times are read and written as UTC, and the session's time zone is
// UTC. A statement with arguments is prepared once per connection, so that
// running it again costs one round trip, and its arguments never become part of
// the SQL text.
//
// # Giving up
//
// A statement whose context ends is stopped on the server too, by KILL on
// another connection. The driver alone would only close the connection, and the
// server would finish a long write.
//
// # Streams
//
// Rows are not buffered: they are read from the network as you ask for them.
// Closing a stream of the engine early costs its connection, because the
// protocol has no other way to stop the server. On a connection that the caller
// holds, whose transaction would be lost with it, a second connection kills the
// query, and the rows already sent are read.
package mysql
