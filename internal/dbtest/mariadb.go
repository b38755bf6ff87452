package dbtest

import (
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
)

// mariadb knows MariaDB.
type mariadb struct{}

func (mariadb) kind() Kind { return KindMariaDB }

func (mariadb) programs() []string {
	return []string{"mariadbd", "mariadb-install-db", "mariadb-admin", "mariadb"}
}

func (mariadb) folders() []string { return []string{"/usr/libexec", "/usr/sbin"} }

func (mariadb) accounts() []string { return []string{"mysql", "nobody"} }

func (mariadb) maintenance() string { return "mysql" }

func (mariadb) stopSignal() syscall.Signal { return syscall.SIGTERM }

func (mariadb) deathSignal() syscall.Signal { return syscall.SIGKILL }

func (mariadb) socket(in *instance) string { return filepath.Join(in.folder, "socket") }

// common are the options that both the installation and the server need; the
// small log keeps the folder small. A server that starts clears its temporary
// folder of tables it takes for its own, so none is shared.
func (m mariadb) common(in *instance) []string {
	return []string{
		"--no-defaults", "--datadir=" + in.data(), "--tmpdir=" + in.folder,
		"--innodb-log-file-size=8M", "--innodb-flush-method=nosync", "--innodb-use-native-aio=0",
	}
}

func (m mariadb) initialise(in *instance) []command {
	return []command{{
		program: "mariadb-install-db",
		args:    append(m.common(in), "--auth-root-authentication-method=normal", "--skip-test-db"),
	}, {
		// Bootstrap mode executes what it reads and ends: no client could give
		// a password before there is one.
		program: "mariadbd",
		args:    append(m.common(in), "--bootstrap", "--skip-log-bin"),
		input:   m.users(in),
	}}
}

// users makes the two users and drops root, who has no password.
func (mariadb) users(in *instance) string {
	return fmt.Sprintf(`FLUSH PRIVILEGES;
CREATE USER %[1]s@'%%' IDENTIFIED BY '%[2]s';
GRANT ALL PRIVILEGES ON *.* TO %[1]s@'%%' WITH GRANT OPTION;
CREATE USER %[3]s@'%%' IDENTIFIED BY '%[4]s';
GRANT PROCESS ON *.* TO %[3]s@'%%';
GRANT ALL PRIVILEGES ON `+"`%[5]s\\_%%`"+`.* TO %[3]s@'%%';
DELETE FROM mysql.global_priv WHERE User IN ('root', '');
`, in.admin.user, in.admin.password, in.app.user, in.app.password, databasePrefix)
}

// serve gives up what protects data from a power cut. The log still reaches the
// kernel at each commit, so that killing the server loses nothing.
func (m mariadb) serve(in *instance, settings []setting) command {
	args := append(m.common(in),
		"--bind-address="+in.host(), "--port="+strconv.Itoa(in.port), "--socket="+m.socket(in),
		"--pid-file="+filepath.Join(in.folder, "pid"), "--skip-name-resolve",
		"--max-connections=300", "--character-set-server=utf8mb4",
		"--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=32M",
		"--innodb-temp-data-file-path=ibtmp1:1M:autoextend",
	)
	for _, s := range settings {
		args = append(args, "--"+s.key+"="+s.value)
	}
	return command{program: "mariadbd", args: args}
}

func (m mariadb) ping(in *instance) command {
	return command{
		program: "mariadb-admin",
		args: []string{
			"--no-defaults", "--socket=" + m.socket(in), "--user=" + in.admin.user,
			"--connect-timeout=1", "--silent", "ping",
		},
		env: []string{"MYSQL_PWD=" + in.admin.password},
	}
}

func (mariadb) client(db Database, statements string) command {
	return command{
		program: "mariadb",
		args: []string{
			"--no-defaults", "--protocol=tcp", "--host=" + db.Host, "--port=" + strconv.Itoa(db.Port),
			"--user=" + db.User, "--batch", "--raw", "--skip-column-names", "--database=" + db.Name,
		},
		env:   []string{"MYSQL_PWD=" + db.Password},
		input: statements,
	}
}

// create needs no owner: the ordinary user may use whatever has the prefix.
func (mariadb) create(name, _ string) string { return "CREATE DATABASE " + name }

func (mariadb) drop(name string) string { return "DROP DATABASE IF EXISTS " + name }
