package retry

import "fmt"

// BudgetOption configures a [Budget].
type BudgetOption interface{ applyBudget(*budgetConfig) }

type budgetOptionFunc func(*budgetConfig)

func (f budgetOptionFunc) applyBudget(c *budgetConfig) { f(c) }

// budgetConfig holds numbers of tokens.
type budgetConfig struct {
	capacity int64
	cost     int64
	slowCost int64
	refund   int64
}

func defaultBudget() budgetConfig {
	return budgetConfig{capacity: 500, cost: 5, slowCost: 10, refund: 1}
}

// maxTokens keeps sums of tokens far from overflow.
const maxTokens = 1 << 30

func (c budgetConfig) validate() error {
	for _, n := range []struct {
		option     string
		value, min int64
	}{
		{"WithCapacity", c.capacity, 1},
		{"WithCost", c.cost, 0},
		{"WithSlowCost", c.slowCost, 0},
		{"WithRefund", c.refund, 0},
	} {
		if n.value < n.min || n.value > maxTokens {
			return fmt.Errorf("retry: %s(%d): want %d to %d tokens", n.option, n.value, n.min, maxTokens)
		}
	}
	return nil
}

// WithCapacity sets how many tokens a full bucket holds, from 1 to 2^30; 500
// by default. A capacity below the cost of a retry allows none.
func WithCapacity(tokens int) BudgetOption {
	return budgetOptionFunc(func(c *budgetConfig) { c.capacity = int64(tokens) })
}

// WithCost sets what a retry costs, from 0 to 2^30 tokens; 5 by default.
func WithCost(tokens int) BudgetOption {
	return budgetOptionFunc(func(c *budgetConfig) { c.cost = int64(tokens) })
}

// WithSlowCost sets what a retry costs after a timeout or an overload, from 0
// to 2^30 tokens; 10 by default.
func WithSlowCost(tokens int) BudgetOption {
	return budgetOptionFunc(func(c *budgetConfig) { c.slowCost = int64(tokens) })
}

// WithRefund sets how many tokens a call that succeeds at its first attempt
// returns, from 0 to 2^30; 1 by default.
func WithRefund(tokens int) BudgetOption {
	return budgetOptionFunc(func(c *budgetConfig) { c.refund = int64(tokens) })
}
