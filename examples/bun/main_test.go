package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(os.Exit)) }

func TestTheProgramShowsItsSpans(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), t.TempDir()+"/shop.db", &out); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("`", "", "\"", "").Replace(out.String())
	for _, want := range []string{"work", "INSERT products", "SELECT products", "UPDATE products", "COMMIT", "tea 350"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
}
