#!/usr/bin/env bash
# What the browser's tests need where it is missing: node 20, npm and Chromium, from the system's packages (`make
# web-tools`; continuous integration runs it before `make test`). What cannot be had is said in a sentence, and those
# tests are skipped with another: nothing fails here.
set -uo pipefail

has() { command -v "$1" >/dev/null; }
quietly() { "$@" </dev/null >/dev/null 2>&1; }
say() { echo "web-tools: $*: the browser's tests that need it are skipped"; }

missing=()
has node || missing+=(nodejs)
has npm || missing+=(npm)
[ -e "${HANDSCOPE_CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	if ! has apt-get || [ "$(id -u)" != 0 ]; then
		say "${missing[*]} missing, and only root can install packages, by apt-get"
	elif ! { quietly apt-get update && quietly apt-get install -y --no-install-recommends "${missing[@]}"; }; then
		say "apt-get could not install ${missing[*]}"
	fi
fi
# Debian 12's node is version 18; npm has others as packages of their own
if has node && has npm && [ "$(node --version | tr -d v | cut -d. -f1)" -lt 20 ]; then
	quietly npm install --global --no-audit --no-fund node@20 || say "npm could not install node 20"
fi
exit 0
