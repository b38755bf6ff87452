package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine/enginetest"
)

func TestContractInAFile(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Database{
		URL: func(t testing.TB) string {
			return "sqlite:" + escaper.Replace(filepath.Join(t.TempDir(), "contract.db"))
		},
	})
}

func TestContractInMemory(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Database{URL: func(testing.TB) string { return "sqlite::memory:" }, SingleConn: true})
}
