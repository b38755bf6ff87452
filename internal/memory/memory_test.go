package memory_test

import (
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/memory"
)

type pair struct {
	a string
	b int
}

func TestFieldsAreWhereTheirOffsetsSay(t *testing.T) {
	t.Parallel()
	p := pair{"x", 7}
	off := memory.Offset(memory.Pointer(&p), memory.Pointer(&p.b))
	if got := *(*int)(memory.At(memory.Pointer(&p), off)); got != 7 {
		t.Errorf("got %d", got)
	}
	if back := memory.Offset(memory.Pointer(&p.b), memory.Pointer(&p)); back < 1<<40 {
		t.Errorf("a field before the object has the offset %d", back)
	}
}

func TestObjectsKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	a, b := &pair{b: 1}, &pair{b: 2}
	objs := memory.Objects[pair]([]memory.Pointer{memory.Pointer(a), memory.Pointer(b)})
	if len(objs) != 2 || objs[0] != a || objs[1] != b || memory.Object[*pair](memory.Pointer(b)) != b {
		t.Errorf("%v", objs)
	}
	if none := memory.Objects[pair](nil); len(none) != 0 {
		t.Errorf("%v", none)
	}
}

func TestTextsAreTheSameAtOneAddress(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 10)
	other := strings.Clone(text)
	if !memory.SameText(text, text) || memory.SameText(text, other) || memory.SameText(text, text[:9]) {
		t.Error("texts are told apart by more or less than their address")
	}
	if memory.TextAddress(text) == memory.TextAddress(other) || memory.TextAddress(text) != memory.TextAddress(text[:9]) {
		t.Error("the address is not that of the bytes")
	}
	if memory.Address(memory.Pointer(&text)) == memory.Address(memory.Pointer(&other)) {
		t.Error("two variables have one address")
	}
}
