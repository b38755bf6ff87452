// Package unit is what the attachments have in common about units of work: what
// is known of the transaction that a unit's function is at work in, and so
// whether the unit may be performed again.
package unit
