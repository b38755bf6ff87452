#!/usr/bin/env bash
# Takes the pictures of the live page in docs/img, with a Chromium. The page is
# that of a busy service in a test, TestBusyService.
set -euo pipefail

cd "$(dirname "$0")/.."
for browser in chromium chromium-browser google-chrome ''; do
	if [[ -n $browser ]] && command -v "$browser" >/dev/null; then
		break
	fi
done
if [[ -z $browser ]]; then
	echo "There is no Chromium here. On Debian: apt-get install chromium" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go test -count=1 -run '^TestBusyService$' ./middleware/statusz -html "$work"

flags=(--headless=new --disable-gpu --no-first-run --hide-scrollbars --user-data-dir="$work/profile")
((EUID)) || flags+=(--no-sandbox)
mkdir -p docs/img
shoot() { # name, width,height, color scheme: 0 is dark, 1 is light
	timeout 60 "$browser" "${flags[@]}" --window-size="$2" --blink-settings="preferredColorScheme=$3" \
		--screenshot="$PWD/docs/img/$1.png" "file://$work/busy.html" 2>/dev/null
	echo "docs/img/$1.png"
}
shoot statusz-light 1360,2270 1
shoot statusz-dark 1360,2270 0
