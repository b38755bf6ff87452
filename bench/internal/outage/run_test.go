package outage

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) {
	Burn()
	os.Exit(dbtest.Main(m))
}

// Every scenario, short, with two subjects on real servers: the figures add up,
// the table has a row for each subject, and the picture is XML.
func TestRun(t *testing.T) {
	t.Parallel()
	dbtest.Postgres(t) // or skip
	for _, s := range Scenarios(0) {
		if s.InTurn && testing.Short() {
			continue
		}
		s.Hold = min(s.Hold, 200*time.Millisecond)
		subjects := slices.DeleteFunc(Subjects(), func(s Subject) bool { return s.Name != "raw pgx" && s.Name != "sessionproxy" })
		r, err := Run(t.Context(), s, subjects, Options{Rounds: 1, Before: 100 * time.Millisecond, After: 300 * time.Millisecond})
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		check(t, r)
	}
}

func check(t *testing.T, r Report) {
	t.Helper()
	for i, row := range r.Rows {
		if row.Calls == 0 || row.Calls != row.OK+row.Failed+row.Refused {
			t.Errorf("%s, %s: %d calls, but %d ok, %d failed, %d refused", r.Scenario.Name, row.Subject, row.Calls, row.OK, row.Failed, row.Refused)
		}
		if first := r.first[i]; first.down <= 0 || first.back < first.down {
			t.Errorf("%s: away at %v, back at %v", r.Scenario.Name, first.down, first.back)
		}
		if raw := row.Subject == "raw pgx"; raw && row.Refused > 0 {
			t.Errorf("%s: raw pgx refused %d calls", r.Scenario.Name, row.Refused)
		}
	}
	var table, picture bytes.Buffer
	if err := errors.Join(r.WriteTable(&table), r.WritePicture(&picture)); err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if !strings.Contains(table.String(), "\n| "+row.Subject+" | ") {
			t.Errorf("%s: no row of %s in\n%s", r.Scenario.Name, row.Subject, table.String())
		}
	}
	for d := xml.NewDecoder(&picture); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: the picture: %v", r.Scenario.Name, err)
		}
	}
}

func TestRunWantsRoundsAndSubjects(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Rounds: 0}, {Rounds: 1}} {
		subjects := Subjects()
		if o.Rounds == 1 {
			subjects = nil
		}
		if _, err := Run(context.Background(), Scenarios(0)[0], subjects, o); err == nil {
			t.Errorf("%d rounds of %d subjects: no error", o.Rounds, len(subjects))
		}
	}
}
