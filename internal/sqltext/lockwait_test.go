package sqltext_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

func TestLimitsLockWait(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT a FROM t FOR UPDATE NOWAIT":                                 true,
		"select a from t for update /* soon */ wait 5":                      true,
		"LOCK TABLES t WRITE WAIT 1":                                        true,
		"SET STATEMENT innodb_lock_wait_timeout = 1 FOR UPDATE t SET a = 1": true,
		"SET STATEMENT lock_wait_timeout=1 FOR ALTER TABLE t ADD b INT":     true,
		"SELECT a FROM t FOR UPDATE":                                        false,
		"SELECT 'NOWAIT', `nowait`, \"wait\" FROM t -- NOWAIT\n FOR UPDATE": false,
		"UPDATE t SET wait = 5":                                             false,
		"":                                                                  false,
	} {
		if got := sqltext.LimitsLockWait(text); got != want {
			t.Errorf("LimitsLockWait(%q) = %t", text, got)
		}
	}
}

func TestLoadsFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"LOAD DATA LOCAL INFILE 'Reader::x' INTO TABLE t":     true,
		"/*!40000 load xml */ local\ninfile 'x' INTO TABLE t": true,
		"UPDATE t SET n = 1": false,
		"":                   false,
	} {
		if got := sqltext.LoadsFile(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}
