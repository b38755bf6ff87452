package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// Link is a TCP connection to a server that takes a while in each direction.
type Link struct {
	delay    time.Duration
	target   string
	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// NewLink returns a link to the address host:port, whose bytes arrive after
// delay in each direction, however many are on the way. It has to be closed.
func NewLink(ctx context.Context, target string, delay time.Duration) (*Link, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("bench: link: %w", err)
	}
	l := &Link{delay: delay, target: target, listener: listener, open: map[net.Conn]bool{}}
	l.wg.Go(l.accept)
	return l, nil
}

// URL returns a database's URL with the link in place of its host and port.
func (l *Link) URL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("bench: link: the URL is none")
	}
	u.Host = l.listener.Addr().String()
	return u.String(), nil
}

// Close ends the link and all connections through it.
func (l *Link) Close() error {
	err := l.listener.Close()
	l.mu.Lock()
	for c := range l.open {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
	return err
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		l.mu.Lock()
		l.open[near], l.open[far] = true, true
		l.mu.Unlock()
		l.wg.Go(func() { l.carry(far, near) })
		l.wg.Go(func() { l.carry(near, far) })
	}
}

// parcel is what was read at a time.
type parcel struct {
	due  time.Time
	data []byte
}

// carry carries what is read from one side to the other, in time.
func (l *Link) carry(to, from net.Conn) {
	parcels := make(chan parcel, 1024)
	l.wg.Go(func() {
		defer func() { _ = to.Close() }()
		for p := range parcels {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				_ = from.Close()
			}
		}
	})
	defer close(parcels)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			parcels <- parcel{time.Now().Add(l.delay), append([]byte(nil), buf[:n]...)}
		}
		if err != nil {
			return
		}
	}
}
