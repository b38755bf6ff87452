package literals_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

// envSeed repeats a run: its value is the seed that a run told.
const envSeed = "SESSIONPROXY_SEED"

// texts is how many texts each mode of a server gets.
func texts() int {
	if os.Getenv("SESSIONPROXY_VERIFY") != "" {
		return 20_000
	}
	return 400
}

// seed is that of the environment, or a new one for the many: the same few texts
// each time find what a change broke, and nothing that has to be explained then.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(1)
	if os.Getenv("SESSIONPROXY_VERIFY") != "" {
		n = uint64(time.Now().UnixNano())
	}
	if given := os.Getenv(envSeed); given != "" {
		var err error
		if n, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", envSeed, n)
	return n
}

// A judge is a server in one of its modes.
type judge interface {
	// data returns which of the markers of a text the server takes as data. It
	// returns false if the server says nothing of the text.
	data(ctx context.Context, text string, markers []string) ([]string, bool, error)
}

// hold tries random texts in a mode.
func hold(t *testing.T, j judge, d sqltext.Dialect, from language, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	judged, data, failures := 0, 0, 0
	for range texts() {
		text := from.make(r)
		found, ok, err := j.data(t.Context(), text.String(), text.markers)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !ok {
			continue
		}
		judged++
		data += len(found)
		if seen(d, text.String(), found) == "" {
			continue
		}
		text = shorter(t, j, d, text)
		found, _, _ = j.data(t.Context(), text.String(), text.markers)
		t.Errorf("%q\ndata: %q\nseen: %s", text, found, seen(d, text.String(), found))
		if failures++; failures >= 5 {
			break
		}
	}
	if judged < texts()/20 {
		t.Errorf("the server understood %d of %d texts: too few to say anything", judged, texts())
	}
	t.Attr("name", strings.TrimPrefix(t.Name(), "Test"))
	t.Attr("texts", strconv.Itoa(texts()))
	t.Attr("understood", strconv.Itoa(judged))
	t.Attr("literals", strconv.Itoa(data))
}

// seen returns what shows any of the markers, and the empty string if nothing
// does.
func seen(d sqltext.Dialect, text string, markers []string) string {
	for _, d := range []sqltext.Dialect{d, sqltext.Generic} {
		a := sqltext.Analyse(d, text)
		for what, shown := range map[string]string{"text": a.Sanitized, "summary": a.Summary} {
			if slices.ContainsFunc(markers, func(m string) bool { return strings.Contains(shown, m) }) {
				return fmt.Sprintf("dialect %d, %s %q", d, what, shown)
			}
		}
	}
	return ""
}

// shorter leaves out of a text that fails what it fails without.
func shorter(t *testing.T, j judge, d sqltext.Dialect, text text) text {
	t.Helper()
	fails := func(text2 []string, whole string) bool {
		found, ok, err := j.data(t.Context(), whole, text2)
		return err == nil && ok && seen(d, whole, found) != ""
	}
	for n := len(text.pieces) / 2; n > 0; {
		changed := false
		for i := 0; i+n <= len(text.pieces); i++ {
			if next := text.without(i, n); fails(next.markers, next.String()) {
				text, changed = next, true
				i--
			}
		}
		if n > 1 || !changed {
			n /= 2
		}
	}
	return text
}
