package sqldb

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// redactor keeps a data source name's secrets out of errors.
type redactor struct{ secrets []string }

// newRedactor finds what has to be kept secret in dsn: the password, in plain
// and in URL encoding, wherever one of the known forms has it.
func newRedactor(dsn string) redactor {
	var r redactor
	add := func(s string) {
		if len(s) > 2 {
			r.secrets = append(r.secrets, s)
		}
	}
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		if pw, ok := u.User.Password(); ok {
			add(pw)
			add(url.QueryEscape(pw))
			add(url.PathEscape(pw))
		}
		for _, key := range []string{"password", "passwd", "sslpassword", "_auth_pass", "_pragma_key"} {
			add(u.Query().Get(key))
		}
	}
	// "user:password@…", of a URL that does not parse too.
	if at := strings.LastIndexByte(dsn, '@'); at > 0 {
		head := dsn[:at]
		if _, after, ok := strings.Cut(head, "://"); ok {
			head = after
		}
		if _, pw, ok := strings.Cut(head, ":"); ok {
			add(pw)
		}
	}
	kv := keyValues(dsn)
	for _, key := range []string{"password", "sslpassword"} {
		add(kv[key])
	}
	return r
}

// hide returns err with a prefix that says what was tried, without secrets; see
// [redactor.conceal].
func (r redactor) hide(tried string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqldb: %s: %w", tried, r.conceal(err))
}

// conceal returns err itself, unless its text holds a secret: then it returns an
// error with that text, the secret masked, and nothing to unwrap, which would
// give the secret away.
func (r redactor) conceal(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := text
	for _, s := range r.secrets {
		clean = strings.ReplaceAll(clean, s, "xxxxx")
	}
	if clean != text {
		return errors.New(clean)
	}
	return err
}
