package dbtest

import (
	"context"
	"errors"
	"fmt"
)

// Borrow gives an empty database to a program that is no test, such as an
// example or a benchmark: on the server that the environment names for the
// kind, or on a private one that it starts. It blocks until the server takes
// connections, at most until ctx ends.
//
// giveBack ends the private server with all its processes, or drops the
// database of another, whoever is connected. It is called once. Should it never
// be, the watchdog ends the private server when the program has ended.
func Borrow(ctx context.Context, kind Kind) (db Database, giveBack func() error, err error) {
	f, ok := flavorOf(kind)
	if !ok {
		return Database{}, nil, fmt.Errorf("dbtest: borrow a database: kind is %q, which is none", kind)
	}
	s, ok, err := external(f)
	if ok {
		if err == nil {
			db, err = s.create(ctx, "borrowed")
		}
		return db, func() error { return s.remove(db) }, err
	}
	in, err := newInstance(ctx, f, nil)
	if err == nil {
		err = in.start(ctx)
	}
	if err == nil {
		db, err = in.server().create(ctx, "borrowed")
	}
	if err != nil && in != nil {
		return Database{}, nil, errors.Join(err, reap(in.folder))
	}
	return db, func() error { return reap(in.folder) }, err
}
