package fault_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
)

func BenchmarkOf(b *testing.B) {
	for name, err := range map[string]error{
		"success":    nil,
		"postgres":   fmt.Errorf("exec: %w", postgres("40001")),
		"mysql":      fmt.Errorf("exec: %w", mysql(1213)),
		"sqlite":     fmt.Errorf("exec: %w", sqlite(5)),
		"connection": fmt.Errorf("exec: %w", io.EOF),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = fault.Of(err, fault.Situation{InTx: true})
			}
		})
	}
}
