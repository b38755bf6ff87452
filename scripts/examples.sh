#!/usr/bin/env bash
# Runs every example, as a reader of the README would, a minute at most. Prints
# what one that fails has printed. A service is asked something, and stopped.
set -euo pipefail

cd "$(dirname "$0")/../examples"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# visit starts the service of nethttp, asks it for a page, and stops it.
visit() {
	local port=$((20000 + RANDOM % 20000)) status=1 answer
	"$1" -file "$dir/visits.db" -listen "127.0.0.1:$port" &
	local service=$!
	for _ in {1..50}; do
		if answer=$(ask "$port" 2>/dev/null); then
			echo "$answer"
			[[ $answer != *" 204 "* ]] || status=0
			break
		fi
		sleep 0.1
	done
	kill -INT "$service" 2>/dev/null || status=1
	wait "$service" || status=1
	return "$status"
}

# ask counts a visit, and prints the first line of the answer.
ask() {
	exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
	printf 'POST /visits/home HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n' >&3
	head -n 1 <&3
	exec 3>&-
}

for main in */main.go; do
	name=${main%/main.go}
	began=$SECONDS
	go build -o "$dir/$name" "./$name"
	case $name in
	nethttp) run=(visit "$dir/$name") ;;
	webservice) run=(timeout 60 "$dir/$name" -load 1s -listen 127.0.0.1:0 -url "sqlite:$dir/webservice.db") ;;
	*) run=(timeout 60 "$dir/$name") ;;
	esac
	if ! "${run[@]}" >"$dir/out" 2>&1 || [[ ! -s $dir/out ]]; then
		cat "$dir/out"
		echo "examples/$name failed" >&2
		exit 1
	fi
	echo "examples/$name: $(wc -c <"$dir/out") bytes of output, $((SECONDS - began)) s"
done
