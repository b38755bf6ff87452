package statusz_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"testing"
	"testing/synctest"
	"time"
)

// TestEveryKeyIsDocumented holds docs/statusz.md against the document of a
// service that has something to show everywhere, in both directions.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/statusz.md")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)## JSON\n.*?\| --- \| --- \|\n(.*)`).FindSubmatch(page)
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllSubmatch(section[1], -1) {
		documented[string(name[1])] = true
	}
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.open(t, func() {
			time.Sleep(time.Minute) // some are slow now
			var document any
			if err := json.Unmarshal(get(s.page, http.MethodGet, "/?format=json").Body.Bytes(), &document); err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			collect(document, found)
			for name := range found {
				if !documented[name] {
					t.Errorf("%q is not in docs/statusz.md", name)
				}
			}
			for name := range documented {
				if !found[name] {
					t.Errorf("docs/statusz.md has %q, which is not in the document", name)
				}
			}
		})
	})
}

// collect adds every key of a document.
func collect(document any, keys map[string]bool) {
	switch d := document.(type) {
	case map[string]any:
		for name, value := range d {
			keys[name] = true
			collect(value, keys)
		}
	case []any:
		for _, value := range d {
			collect(value, keys)
		}
	}
}
