package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// standby starts an instance that follows in. It is not nil if there is a folder
// to remove. The data is copied as PostgreSQL's manual says under "Making a Base
// Backup Using the Low Level API": pg_basebackup refuses a server that is newer
// than itself. It needs PostgreSQL 15.
func (in *instance) standby(ctx context.Context) (*instance, error) {
	folder, err := base.folderFor("standby", in.account)
	if err != nil {
		return nil, err
	}
	out := &instance{
		flavor: in.flavor, bin: in.bin, folder: folder, account: in.account, settings: in.settings,
		admin: in.admin, app: in.app,
	}
	// Files that vanish while they are copied are not missed.
	label, err := out.bin.run(ctx, in.flavor.client(in.server().Admin(), "SELECT pg_backup_start('standby', true);\n"+
		"\\! cp --archive --reflink=auto "+in.data()+" "+out.data()+" 2>/dev/null\n"+
		"SELECT labelfile FROM pg_backup_stop(false);\n"), out.confine)
	if err != nil {
		return out, fmt.Errorf("dbtest: copy a running server: %w", err)
	}
	label = label[max(strings.Index(label, "START WAL LOCATION"), 0):]
	follow := fmt.Sprintf("primary_conninfo = 'host=%s port=%s user=%s password=%s'\n",
		in.host(), strconv.Itoa(in.port), in.admin.user, in.admin.password)
	err = errors.Join(
		os.Remove(filepath.Join(out.data(), "postmaster.pid")),
		out.place("backup_label", label),
		out.place("standby.signal", ""),
		out.place("postgresql.auto.conf", follow),
	)
	if err != nil {
		return out, fmt.Errorf("dbtest: make a standby: %w", err)
	}
	return out, out.start(ctx)
}

// place writes a file into the data of a server.
func (in *instance) place(name, text string) error {
	path := filepath.Join(in.data(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return in.account.own(path)
}
