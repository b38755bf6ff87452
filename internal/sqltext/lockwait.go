package sqltext

// LimitsLockWait reports whether a statement of MySQL or MariaDB limits its own
// wait for locks: by NOWAIT, WAIT n, or SET STATEMENT … lock_wait_timeout.
func LimitsLockWait(text string) bool {
	w := newWalk(MySQL, text)
	for before := ""; w.next(); before = w.word {
		switch {
		case w.word == "nowait", w.word == "lock_wait_timeout", w.word == "innodb_lock_wait_timeout":
			return true
		case before == "wait" && w.kind == Number:
			return true
		}
	}
	return false
}

// LoadsFile reports whether a statement of MySQL or MariaDB may read its rows from
// a file, or from what the caller has named in place of one (LOAD DATA LOCAL INFILE).
func LoadsFile(text string) bool { return containsFold(text, "infile") }
