#!/usr/bin/env bash
# Runs a command in the folder of every Go module of the repository. A path to
# a script is taken from the repository's root.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
command=$1
shift
case $command in
scripts/*) command=$root/$command ;;
esac

failed=()
while IFS= read -r mod; do
	dir=$(dirname "$mod")
	echo "== ${dir#./}: ${command#"$root"/} $*"
	(cd "$root/$dir" && "$command" "$@") || failed+=("$dir")
done < <(cd "$root" && find . -name go.mod -not -path './.bin/*' | sort)

if ((${#failed[@]})); then
	echo "failed in: ${failed[*]}" >&2
	exit 1
fi
