package model_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// kind is what a text does on the server.
type kind int

const (
	reads   kind = iota
	writes       // undone by an error as a whole, part of the transaction
	leaks        // an error in it leaves a part behind, for good, outside a transaction
	ddl          // on MySQL: ends the transaction and can't be undone
	neutral      // changes nothing that matters here
	begins       // a transaction
	commits
	rollsBack
	chains        // commits, and begins the next
	autocommitOff // MySQL
	autocommitOn
)

// text is an entry of the catalogue.
type text struct {
	sql  string
	kind kind
	rows bool
}

// fault is what befalls a statement, once.
type fault int

const (
	none        fault = iota
	conflict          // the transaction is undone: deadlock, serialization
	lockTimeout       // the statement is undone
	readOnly          // the statement is refused
	cutBefore         // the connection ends before the statement is performed
	cutAfter          // and after
	anyFault          // how many there are
)

// world is a server's account.
type world struct {
	postgres bool

	mu        sync.Mutex
	step      int           // of the service: its number names BEGIN and COMMIT
	texts     map[int]text  // by the number in them
	faults    map[int]fault // by the number of the statement they befall
	committed []string
	performed map[int]int // how often the server got to a statement
}

// session is what the server knows of a connection.
type session struct {
	open, failed, manual bool // manual: autocommit is off
	pending              []string
}

// reply is what the server says, in terms of both protocols.
type reply struct {
	fault  fault // cutBefore and cutAfter: it hangs up
	failed bool  // PostgreSQL: the transaction has failed before
	rows   bool
	tag    string
}

var numbered = regexp.MustCompile(`/\*(\d+)\*/`)

// at tells what the service is at.
func (w *world) at(step int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step = step
}

// perform does what a text says.
func (w *world) perform(s *session, sql string) reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	number, t := 0, control(sql)
	if m := numbered.FindStringSubmatch(sql); m != nil {
		number, _ = strconv.Atoi(m[1])
		t = w.texts[number]
	} else if t.kind == begins {
		number = w.step + beginOf
	} else if t.kind == commits {
		number = w.step + commitOf
	}
	w.performed[number]++
	if s.failed && t.kind != rollsBack && t.kind != commits && t.kind != chains {
		return reply{failed: true}
	}
	f := w.faults[number]
	if number != 0 {
		delete(w.faults, number)
	}
	id := strconv.Itoa(number)
	if f != none && f != cutAfter {
		if (t.kind == leaks && !s.open || t.kind == ddl && !w.postgres) && f != readOnly {
			w.committed = append(w.committed, id+" in part")
		}
		w.undo(s, t, f)
		return reply{fault: f}
	}
	r := reply{fault: f, rows: t.rows, tag: tagOf(t, sql)}
	w.succeed(s, t, id, &r)
	return r
}

// tagOf returns what PostgreSQL says it has done for a text.
func tagOf(t text, sql string) string {
	switch t.kind {
	case commits, chains:
		return "COMMIT"
	case rollsBack:
		return "ROLLBACK"
	}
	return strings.ToUpper(strings.Fields(cmp.Or(t.sql, sql))[0])
}

// undo is what a fault does to the transaction.
func (w *world) undo(s *session, t text, f fault) {
	switch {
	case f == cutBefore:
		*s = session{} // as is what was open
	case w.postgres && (t.kind == commits || t.kind == chains):
		*s = session{} // a COMMIT that fails ends the transaction
	case w.postgres:
		s.failed = s.open
	case f == conflict:
		s.open, s.pending = false, nil
	}
}

func (w *world) succeed(s *session, t text, id string, r *reply) {
	if s.manual && (t.kind == reads || t.kind == writes || t.kind == leaks) {
		s.open = true
	}
	switch t.kind {
	case writes, leaks:
		s.pending = append(s.pending, id)
		if !s.open {
			w.commit(s)
		}
	case ddl:
		s.pending = append(s.pending, id)
		if !s.open || !w.postgres {
			w.commit(s)
		}
	case begins:
		if s.open && !w.postgres {
			w.commit(s)
		}
		s.open = true
	case commits, chains:
		if s.failed {
			r.tag = "ROLLBACK"
			s.pending = nil
		}
		w.commit(s)
		s.open = t.kind == chains
	case rollsBack:
		s.pending = nil
		w.commit(s)
	case autocommitOff:
		s.manual = true
	case autocommitOn:
		if s.manual {
			w.commit(s)
		}
		s.manual = false
	case reads, neutral:
	}
}

func (w *world) commit(s *session) {
	w.committed = append(w.committed, s.pending...)
	s.pending, s.open, s.failed = nil, false, false
}

// variables answers a question for variables of MySQL or MariaDB, and returns nil
// if a text is none.
func (w *world) variables(s *session, sql string, mariadb bool) ([]string, error) {
	names, ok := strings.CutPrefix(sql, "SELECT @@")
	if !ok {
		return nil, nil
	}
	bit := func(b bool) string {
		if b {
			return "1"
		}
		return "0"
	}
	var row []string
	for name := range strings.SplitSeq(names, ", @@") {
		switch {
		case name == "autocommit":
			row = append(row, bit(!s.manual))
		case name == "completion_type":
			row = append(row, "NO_CHAIN")
		case name == "innodb_rollback_on_timeout":
			row = append(row, "0")
		case name == "in_transaction" && mariadb:
			row = append(row, bit(s.open))
		default:
			return nil, fmt.Errorf("Unknown system variable '%s'", name)
		}
	}
	return row, nil
}

// control is what a text without a number does: it is a driver's, or ours.
func control(sql string) text {
	s := strings.ToLower(strings.Trim(sql, "; "))
	switch {
	case strings.HasPrefix(s, "begin"), strings.HasPrefix(s, "start transaction"):
		return text{kind: begins}
	case strings.HasPrefix(s, "commit"):
		return text{kind: commits}
	case strings.HasPrefix(s, "rollback to"):
		return text{kind: neutral}
	case strings.HasPrefix(s, "rollback"):
		return text{kind: rollsBack}
	case strings.HasPrefix(s, "select"):
		return text{kind: neutral, rows: true}
	}
	return text{kind: neutral}
}

// again reports whether a statement came to the server more than once.
func (w *world) again() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for number, times := range w.performed {
		if number != 0 && times > 1 {
			return true
		}
	}
	return false
}

// account is what is committed, sorted. Of what is marked idempotent it says
// only that it was.
func (w *world) account(idempotent map[int]bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.committed)
	slices.Sort(out)
	for n := range idempotent {
		id := strconv.Itoa(n)
		full := slices.Contains(out, id)
		seen := false
		out = slices.DeleteFunc(out, func(e string) bool {
			if e != id && e != id+" in part" {
				return false
			}
			if full && e != id || seen {
				return true
			}
			seen = true
			return false
		})
	}
	return out
}

// twice are statements that were committed more than once.
func twice(account []string) error {
	for i := 1; i < len(account); i++ {
		if account[i] == account[i-1] {
			return fmt.Errorf("statement %s was committed twice", account[i])
		}
	}
	return nil
}
