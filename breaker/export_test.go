package breaker

// WithChance sets what makes an open time longer by chance: chance returns a
// number in [0, 1).
func WithChance(chance func() float64) Option {
	return optionFunc(func(c *config) { c.chance = chance })
}

// DefaultChance is what [New] uses.
var DefaultChance = chance
