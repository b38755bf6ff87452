package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// servers are a primary and two standbys.
type servers struct {
	all     []*dbtest.PrivateServer
	db      dbtest.Database
	release []func() error
}

// startServers starts them, with the tables of the bank.
func startServers(ctx context.Context) (s *servers, err error) {
	s = new(servers)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	primary, giveBack, err := dbtest.BorrowServer(ctx, dbtest.KindPostgres)
	if err != nil {
		return s, err
	}
	s.all, s.release = append(s.all, primary), append(s.release, giveBack)
	if s.db, err = primary.Create(ctx, "cluster"); err != nil {
		return s, err
	}
	if _, err := s.db.Query(ctx, fmt.Sprintf(`CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
		INSERT INTO accounts SELECT i, 1000 FROM generate_series(0, %d) AS i;
		CREATE TABLE transfers (id text NOT NULL)`, accounts-1)); err != nil {
		return s, err
	}
	for range 2 {
		standby, giveBack, err := primary.Standby(ctx)
		if err != nil {
			return s, err
		}
		s.all, s.release = append(s.all, standby), append(s.release, giveBack)
	}
	_, err = primary.Admin().Query(ctx, "ALTER SYSTEM SET synchronous_standby_names = '2 (*)';\nSELECT pg_reload_conf()")
	return s, err
}

// url returns where a pool reaches server i.
func (s *servers) url(i int) string {
	there := s.db
	there.Port = s.all[i].Admin().Port
	return there.URL("pool_max_conns=15")
}

// failover kills the primary, and later promotes the first standby, which the other
// one then follows.
func (s *servers) failover(ctx context.Context) error {
	if !sleep(ctx, calm) {
		return context.Cause(ctx)
	}
	if err := s.all[0].Kill(); err != nil {
		return err
	}
	if !sleep(ctx, headless) {
		return context.Cause(ctx)
	}
	if err := s.all[1].Promote(ctx); err != nil {
		return err
	}
	admin := s.all[1].Admin()
	_, err := s.all[2].Admin().Query(ctx, fmt.Sprintf("ALTER SYSTEM SET primary_conninfo = 'host=%s port=%d user=%s password=%s';\nSELECT pg_reload_conf()",
		admin.Host, admin.Port, admin.User, admin.Password))
	return err
}

// transfers returns how often the new primary has each transfer.
func (s *servers) transfers(ctx context.Context) (map[string]int, error) {
	there := s.db
	there.Port, there.Socket = s.all[1].Admin().Port, s.all[1].Admin().Socket
	out, err := there.Query(ctx, "SELECT id FROM transfers")
	times := map[string]int{}
	for id := range strings.SplitSeq(out, "\n") {
		times[id]++
	}
	return times, err
}

// close gives the servers back.
func (s *servers) close() (err error) {
	for _, giveBack := range s.release {
		err = errors.Join(err, giveBack())
	}
	return err
}
