package dbtest

import (
	"context"
	"fmt"
	"maps"
	"strconv"
)

// standby starts an instance that follows in. It is not nil if there is a folder
// to remove.
func (in *instance) standby(ctx context.Context) (*instance, error) {
	bin, err := locate([]string{"postgres", "pg_basebackup"}, in.flavor.folders())
	if err != nil {
		return nil, err
	}
	folder, err := base.folderFor("standby", in.account)
	if err != nil {
		return nil, err
	}
	programs := maps.Clone(in.bin)
	programs["pg_basebackup"] = bin["pg_basebackup"]
	out := &instance{
		flavor: in.flavor, bin: programs, folder: folder, account: in.account, settings: in.settings,
		admin: in.admin, app: in.app,
	}
	c := command{
		program: "pg_basebackup",
		args: []string{
			"--pgdata=" + out.data(), "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync",
			"--host=" + in.host(), "--port=" + strconv.Itoa(in.port), "--username=" + in.admin.user, "--no-password",
		},
		env: []string{"PGPASSWORD=" + in.admin.password},
	}
	if _, err := out.bin.run(ctx, c, out.confine); err != nil {
		return out, fmt.Errorf("dbtest: copy a running server: %w", err)
	}
	return out, out.start(ctx)
}
