#!/usr/bin/env bash
# Makes sure that the servers of the tests are installed, and in CI a browser for
# those of the live page. Where a package manager is at hand and may be used, it
# installs what is missing; elsewhere it says what to install. The tests start
# private servers themselves: nothing is left running.
set -euo pipefail

have_postgres() { command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
have_mariadb() { command -v mariadbd >/dev/null || [[ -x /usr/sbin/mariadbd ]] || [[ -x /usr/libexec/mariadbd ]]; }
have_pgbouncer() { command -v pgbouncer >/dev/null || [[ -x /usr/sbin/pgbouncer ]]; }
have_browser() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }

missing=()
have_postgres || missing+=(postgresql)
have_mariadb || missing+=(mariadb-server)
have_pgbouncer || missing+=(pgbouncer)
browser=
if [[ -n ${CI-} ]] && ! have_browser; then
	browser=chromium
fi
[[ ${#missing[@]} -gt 0 || -n $browser ]] || exit 0

as_root=()
if ((EUID != 0)); then
	if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		as_root=(sudo -n)
	else
		as_root=(false)
	fi
fi

if command -v apt-get >/dev/null && [[ "${as_root[*]-}" != false ]]; then
	echo "installing ${missing[*]-} $browser"
	# A package's own server must not start: the tests start theirs.
	policy=/usr/sbin/policy-rc.d
	made=
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
		"${as_root[@]}" chmod +x "$policy"
		made=1
	fi
	trap '[[ -z $made ]] || "${as_root[@]}" rm -f "$policy"' EXIT
	"${as_root[@]}" apt-get update -qq || [[ ${#missing[@]} -eq 0 ]]
	install() { DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
	[[ ${#missing[@]} -eq 0 ]] || install "${missing[@]}"
	[[ -z $browser ]] || install "$browser" || echo "no $browser: the live page is tested without a browser" >&2
	exit 0
fi
[[ ${#missing[@]} -gt 0 ]] || exit 0

echo "These servers are missing, and this script can't install them here: ${missing[*]}." >&2
echo "Install them with your system's package manager; tests that need them are skipped, except in CI." >&2
