package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// templates make, once each, the data that instances of a kind copy: copying is
// many times faster than initialising.
var templates = map[Kind]func() (*instance, error){
	KindPostgres: sync.OnceValues(func() (*instance, error) { return newTemplate(postgres{}) }),
	KindMariaDB:  sync.OnceValues(func() (*instance, error) { return newTemplate(mariadb{}) }),
}

// newTemplate makes an instance that is never started.
func newTemplate(f flavor) (*instance, error) {
	bin, err := programsOf(f, "cp")
	if err != nil {
		return nil, err
	}
	who, err := unprivileged(f.accounts())
	if err != nil {
		return nil, err
	}
	folder, err := base.folderFor(string(f.kind()), who)
	if err != nil {
		return nil, err
	}
	in := &instance{
		flavor: f, bin: bin, folder: folder, account: who,
		admin: login{"admin", secret(12)}, app: login{"app", secret(12)},
	}
	if err := in.initialise(); err != nil {
		return nil, fmt.Errorf("dbtest: initialise %s: %w", f.kind(), err)
	}
	return in, nil
}

// initialise makes the data, with the superuser's password in a file for as
// long as that takes.
func (in *instance) initialise() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := os.WriteFile(in.secret(), []byte(in.admin.password+"\n"), 0o600); err != nil {
		return err
	}
	defer func() { _ = os.Remove(in.secret()) }()
	if err := in.account.own(in.secret()); err != nil {
		return err
	}
	for _, c := range in.flavor.initialise(in) {
		if _, err := in.bin.run(ctx, c, in.confine); err != nil {
			return err
		}
	}
	return nil
}

// newInstance makes a folder with a server's data in it. The instance is not
// nil if there is a folder to remove.
func newInstance(ctx context.Context, f flavor, settings []setting) (*instance, error) {
	template, err := templates[f.kind()]()
	if err != nil {
		return nil, err
	}
	folder, err := base.folderFor(string(f.kind()), template.account)
	if err != nil {
		return nil, err
	}
	in := &instance{
		flavor: f, bin: template.bin, folder: folder, account: template.account, settings: settings,
		admin: template.admin, app: template.app,
	}
	c := command{program: "cp", args: []string{"--archive", "--reflink=auto", template.data(), in.data()}}
	if _, err := in.bin.run(ctx, c, in.confine); err != nil {
		return in, fmt.Errorf("dbtest: copy the data of %s: %w", f.kind(), err)
	}
	return in, nil
}

// newPooler makes a folder for a pooler, which has no data. The instance is not
// nil if there is a folder to remove.
func newPooler(f flavor, settings []setting) (*instance, error) {
	bin, err := programsOf(f)
	if err != nil {
		return nil, err
	}
	who, err := unprivileged(f.accounts())
	if err != nil {
		return nil, err
	}
	folder, err := base.folderFor("pgbouncer", who)
	if err != nil {
		return nil, err
	}
	return &instance{flavor: f, bin: bin, folder: folder, account: who, settings: settings}, nil
}

// errPortTaken is matched when another process listens on the server's port.
var errPortTaken = errors.New("port is taken")

// start starts the server for the first time and waits until it takes
// connections. A port is found, not reserved: another process may be faster.
func (in *instance) start(ctx context.Context) error {
	const attempts = 5
	var err error
	for range attempts {
		if in.port, err = freePort(); err != nil {
			return err
		}
		if err = in.resume(ctx); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// resume starts the server on the port that it has.
func (in *instance) resume(ctx context.Context) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.running != nil {
		return nil
	}
	p, err := in.launch(in.flavor.serve(in, in.settings))
	if err != nil {
		return fmt.Errorf("dbtest: start %s: %w", in.flavor.kind(), err)
	}
	ready := func() (bool, error) {
		select {
		case <-p.exited:
			return false, in.died(p)
		default:
			_, err := in.bin.run(ctx, in.flavor.ping(in), nil)
			return err == nil, nil
		}
	}
	if err := poll(ctx, ready); err != nil {
		_ = in.killAll(p)
		return fmt.Errorf("dbtest: start %s: %w; end of its log:\n%s", in.flavor.kind(), err, in.logTail())
	}
	in.running = p
	return nil
}

// died says why the server ended while it was starting.
func (in *instance) died(p *process) error {
	if strings.Contains(in.logTail(), "Address already in use") {
		return errPortTaken
	}
	return fmt.Errorf("server ended: %w", p.err)
}

// logTail returns the last lines of the server's log.
func (in *instance) logTail() string {
	text, err := os.ReadFile(in.log())
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text))
}
