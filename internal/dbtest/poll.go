package dbtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"strconv"
	"time"
)

// poll calls done until it says true, fails, or ctx ends. What it waits for are
// other processes, which tell nobody when they are done.
func poll(ctx context.Context, done func() (bool, error)) error {
	const interval = 15 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// freePort returns a port on which nothing listens. It is below those that
// Linux gives to outgoing connections: no client can take it while its server
// is down, nor be connected to itself.
func freePort() (int, error) {
	const low, high, attempts = 20000, 32000, 100
	for range attempts {
		n, err := rand.Int(rand.Reader, big.NewInt(high-low))
		if err != nil {
			return 0, fmt.Errorf("dbtest: choose a port: %w", err)
		}
		port := low + int(n.Int64())
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("dbtest: choose a port: %d attempts found none free", attempts)
}

// secret returns n random bytes in hexadecimal.
func secret(n int) string {
	b := make([]byte, n)
	// Read never fails: it ends the program instead.
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
