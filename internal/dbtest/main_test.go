package dbtest_test

import (
	"os"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }
