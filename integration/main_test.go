package integration_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(dbtest.Runner(m))
}
