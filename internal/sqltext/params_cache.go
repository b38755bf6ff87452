package sqltext

// Templates makes templates of one dialect's texts and keeps them, within the
// bounds of a [Cache]. It is safe for concurrent use.
type Templates struct {
	dialect Dialect
	cache   *Cache[*Template]
}

// NewTemplates returns an empty store of templates. A bound of 0 or less
// stands for that of [NewCache].
func NewTemplates(d Dialect, entries, bytes int) *Templates {
	return &Templates{dialect: d, cache: NewCache[*Template](entries, bytes)}
}

// Of returns the template of a text, made by [Compile] the first time. A text
// that has none is compiled, and refused, each time. Nothing is allocated for
// a text that is known.
func (t *Templates) Of(text string) (*Template, error) {
	if template, ok := t.cache.Get(t.dialect, text); ok {
		return template, nil
	}
	template, err := Compile(t.dialect, text)
	if err != nil {
		return nil, err
	}
	t.cache.Put(t.dialect, text, template)
	return template, nil
}
