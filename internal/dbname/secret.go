package dbname

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/fault"
)

// What is said of a name that can't be shown.
var (
	errAmbiguous = errors.New("the data source name can be read in several ways: an @ stands behind the one that ends the user and the password; " +
		"if it belongs to the password, percent-encode the reserved characters of that, if to a parameter, the @ as %40")
	errUnquoted = errors.New("the data source name does not parse; nothing of it is shown, as a part of the password may be in it: " +
		"percent-encode or quote the password's reserved characters")
	errValue = errors.New("the driver does not take the value of a setting, in the data source name or the environment; it is not shown, " +
		"as it may be a part of the password: quote the password's blanks")
)

// ambiguous reports an error if one way to read a name makes a host, a database
// or a parameter of a part of the password.
func ambiguous(k kind, dsn string) error {
	rest := ""
	switch k {
	case mysql:
		// go-sql-driver takes the last slash for the one before the database.
		if i := strings.LastIndexByte(dsn, '/'); i >= 0 {
			rest = dsn[i:]
		}
	case pgx, pq, bunPG:
		_, authority, ok := strings.Cut(dsn, "://")
		if i := strings.IndexAny(authority, "/?#"); ok && i >= 0 {
			rest = authority[i:]
		}
	}
	if strings.Contains(rest, "@") || k == pgx && strings.Contains(dsn, "://") && strings.Count(dsn, "@") > 1 {
		return errAmbiguous // pgx takes the first @, net/url the last
	}
	return nil
}

// mixed reports whether a part of a password may be taken for another setting:
// it stands among others, from which a blank or an & divides it.
func mixed(k kind, dsn string) bool {
	switch k {
	case pgx, pq, bunPG:
		if _, rest, ok := strings.Cut(dsn, "://"); ok {
			_, query, _ := strings.Cut(rest, "?")
			return speaksOfSecrets(query)
		}
		return speaksOfSecrets(dsn) && !plain(dsn)
	case sqlite:
		_, query, _ := strings.Cut(dsn, "?")
		return speaksOfSecrets(query)
	}
	return false
}

func speaksOfSecrets(s string) bool {
	s = strings.ToLower(s)
	for _, word := range []string{"pass", "secret", "token", "key", "auth"} {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

// plain reports whether all settings of a name in key=value form are ones of
// libpq, so that none of them is a part of the password.
func plain(dsn string) bool {
	words, ok := keyValues(dsn)
	if !ok {
		return false
	}
	for key := range words {
		if !slices.Contains(libpqKeys, key) {
			return false
		}
	}
	return true
}

// libpqKeys are libpq's parameter key words, and those of pgx's pool.
var libpqKeys = strings.Fields(`host hostaddr port dbname database user password passfile require_auth channel_binding
	connect_timeout client_encoding options application_name fallback_application_name keepalives sslmode sslcert sslkey sslrootcert
	sslpassword sslsni sslnegotiation sslcertmode sslinline target_session_attrs load_balance_hosts service servicefile krbsrvname krbspn
	search_path timezone TimeZone statement_timeout lock_timeout default_transaction_isolation binary_parameters
	disable_prepared_binary_result min_protocol_version max_protocol_version pool_max_conns pool_min_conns pool_max_conn_lifetime
	pool_max_conn_idle_time pool_health_check_period default_query_exec_mode statement_cache_capacity description_cache_capacity`)

// secretsOf finds passwords in the name of an unknown driver, whose errors are
// searched for them.
func secretsOf(dsn string) (secrets []string) {
	add := func(s string) {
		if len(s) > 2 {
			secrets = append(secrets, s)
		}
	}
	if u, err := url.Parse(dsn); err == nil {
		if password, ok := u.User.Password(); ok {
			add(password)
			add(url.QueryEscape(password))
			add(url.PathEscape(password))
		}
		for key, values := range u.Query() {
			if speaksOfSecrets(key) {
				for _, v := range values {
					add(v)
				}
			}
		}
	}
	if at := strings.LastIndexByte(dsn, '@'); at > 0 {
		head := dsn[:at]
		if _, after, ok := strings.Cut(head, "://"); ok {
			head = after
		}
		if _, password, ok := strings.Cut(head, ":"); ok {
			add(password)
		}
	}
	if words, ok := keyValues(dsn); ok {
		for key, v := range words {
			if speaksOfSecrets(key) {
				add(v)
			}
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return secrets
}

// Refused returns the error of a driver that did not take a data source name,
// with a prefix that says what was tried. It quotes nothing of the name.
func (n *Name) Refused(tried string, err error) error {
	if n.kind == other {
		return fmt.Errorf("%s: %w", tried, n.mask(err))
	}
	return fmt.Errorf("%s: %s", tried, refusal(err))
}

// Hide returns the error of opening a connection: the driver's own wherever the
// driver can't have put a part of the password into it; else what is safe of its
// text, behind what was tried and without the original, which would give the
// rest away to anyone that unwraps it.
func (n *Name) Hide(tried string, err error) error {
	switch {
	case err == nil:
		return nil
	case n.kind == other:
		return n.mask(err)
	case n.malformed, isParsers(err):
		return fmt.Errorf("%s: %s", tried, refusal(err))
	case n.kind == pq && quotesValue(err):
		return fmt.Errorf("%s: %w", tried, errValue)
	case n.guarded:
		return fmt.Errorf("%s: %s", tried, told(err))
	}
	return err
}

// quotesValue reports whether an error is one of lib/pq's parser that quotes a
// setting's value, which may be a piece of a password that was not quoted.
func quotesValue(err error) bool {
	return strings.HasPrefix(err.Error(), "pq: wrong value for ") || strings.HasPrefix(err.Error(), "pq: unsupported ")
}

// mask hides the secrets of an unknown driver's name.
func (n *Name) mask(err error) error {
	text := err.Error()
	for _, s := range n.secrets {
		text = strings.ReplaceAll(text, s, "xxxxx")
	}
	if text != err.Error() {
		return errors.New(text)
	}
	return err
}

// told returns of an error what holds no text of the name.
func told(err error) string {
	const hidden = "the driver's message is not shown, as a part of the password may be in it"
	if code := fault.Code(err); code != "" {
		return "error " + code + "; " + hidden
	}
	class := fault.Of(err, fault.Situation{Phase: fault.PhaseConnect}).Class
	return class.String() + "; " + hidden
}

// isParsers reports whether an error of connecting is that of pgx's parser.
func isParsers(err error) bool { return parsersError(err) != nil }

func parsersError(err error) error {
	for ; err != nil; err = errors.Unwrap(err) {
		if typeName(err) == "ParseConfigError" {
			return err
		}
	}
	return nil
}

// refusal returns a parser's message if it is one that quotes nothing.
func refusal(err error) string {
	if e := parsersError(err); e != nil {
		if reason := text(reflect.ValueOf(e), "msg"); slices.Contains(plainReasons, reason) {
			return "the data source name does not parse: " + reason
		}
		return errUnquoted.Error()
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if slices.Contains(plainRefusals, e.Error()) {
			return e.Error()
		}
	}
	return errUnquoted.Error()
}

// plainRefusals are messages of parsers that quote nothing: go-sql-driver's.
var plainRefusals = []string{
	"invalid DSN: did you forget to escape a param value?",
	"invalid DSN: network address not terminated (missing closing brace)",
	"invalid DSN: missing the slash separating the database name",
	"invalid DSN: interpolateParams can not be used with unsafe collations",
}

// plainReasons are those of pgx.
var plainReasons = []string{
	"failed to parse as URL", "failed to parse as keyword/value", "invalid port", "failed to configure TLS", "failed to read service",
	"invalid connect_timeout", "invalid sslcertmode", "invalid require_auth",
}
