package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Account is a customer's account. Its version guards against two sessions that
// change it at the same time.
type Account struct {
	ID      int64
	Owner   string `orm:"owner,unique"`
	Balance int64  // in cents
	Version int    `orm:",version"`
}

// Transfer is money that went from one account to another.
type Transfer struct {
	ID       int64
	Debtor   int64     `orm:"debtor,references:account.id"`
	Creditor int64     `orm:"creditor,references:account.id"`
	Amount   int64     // in cents
	At       time.Time `orm:",default"`
}

// errOverdrawn is the bank's own rule, which no database knows.
var errOverdrawn = errors.New("not enough money")

type bank struct {
	engine   *engine.Engine
	ann, bob int64 // keys of accounts
	refused  error
	stale    *orm.StaleDataError
	report   []string
}

func (b *bank) create(ctx context.Context) error {
	return orm.CreateAll(ctx, b.engine, (*Account)(nil), (*Transfer)(nil))
}

func (b *bank) drop(ctx context.Context) error {
	return orm.DropAll(ctx, b.engine, (*Account)(nil), (*Transfer)(nil))
}

// openAccounts inserts two objects, whose keys the database makes.
func (b *bank) openAccounts(ctx context.Context) error {
	s := orm.NewSession(b.engine)
	defer s.Close(ctx)
	ann, bob := &Account{Owner: "ann", Balance: 100_00}, &Account{Owner: "bob", Balance: 20_00}
	if err := s.AddAll(ann, bob); err != nil {
		return err
	}
	if err := s.Commit(ctx); err != nil {
		return err
	}
	b.ann, b.bob = ann.ID, bob.ID
	return nil
}

// move is the domain: plain assignments on objects, no SQL.
func move(ctx context.Context, s *orm.Session, from, to, amount int64) error {
	debtor, err := orm.GetOne[Account](ctx, s, from)
	if err != nil {
		return err
	}
	creditor, err := orm.GetOne[Account](ctx, s, to)
	if err != nil {
		return err
	}
	debtor.Balance -= amount
	creditor.Balance += amount
	if debtor.Balance < 0 {
		return errOverdrawn
	}
	return s.Add(&Transfer{Debtor: from, Creditor: to, Amount: amount})
}

// transfer sends two UPDATEs of one column each and an INSERT.
func (b *bank) transfer(ctx context.Context) error {
	s := orm.NewSession(b.engine)
	defer s.Close(ctx)
	if err := move(ctx, s, b.ann, b.bob, 30_00); err != nil {
		return err
	}
	return s.Commit(ctx)
}

// overdraw changes objects, and sends nothing: the session is closed without a
// commit.
func (b *bank) overdraw(ctx context.Context) error {
	s := orm.NewSession(b.engine)
	if err := move(ctx, s, b.ann, b.bob, 500_00); !errors.Is(err, errOverdrawn) {
		return fmt.Errorf("money was spent that is not there: %w", err)
	}
	b.refused = errOverdrawn
	return s.Close(ctx)
}

// race changes an account that another session has changed in between.
func (b *bank) race(ctx context.Context) error {
	mine := orm.NewSession(b.engine)
	defer mine.Close(ctx) //nolint:errcheck // it is rolled back or committed by then
	account, err := orm.GetOne[Account](ctx, mine, b.bob)
	if err != nil {
		return err
	}
	if err := mine.Commit(ctx); err != nil { // others may go on
		return err
	}
	if err := b.transfer(ctx); err != nil {
		return err
	}
	account.Balance += 1_00
	err = mine.Commit(ctx)
	if !errors.As(err, &b.stale) {
		return fmt.Errorf("a change of others was overwritten: %w", err)
	}
	if err := mine.Rollback(ctx); err != nil {
		return err
	}
	if err := mine.Refresh(ctx, account); err != nil { // the object is what the row is
		return err
	}
	account.Balance += 1_00
	if err := mine.Commit(ctx); err != nil {
		return err
	}
	return b.count(ctx, mine)
}

// count reads what there is, for the summary.
func (b *bank) count(ctx context.Context, s *orm.Session) error {
	accounts, err := orm.From[Account]().OrderBy("owner").All(ctx, s)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		b.report = append(b.report, fmt.Sprintf("%-9s %6.2f, changed %d times", a.Owner, float64(a.Balance)/100, a.Version-1))
	}
	transfers, err := orm.From[Transfer]().Count(ctx, s)
	if err != nil {
		return err
	}
	b.report = append(b.report, fmt.Sprintf("transfers %d, and one refused: %v", transfers, b.refused))
	return s.Commit(ctx)
}

func (b *bank) summary() string {
	return strings.Join(append(b.report, "race      noticed: "+b.stale.Error()), "\n") + "\n"
}
