# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share. To be sourced; sets `root`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Debian's own Python has the modules that install-deps installs, whatever else is on the PATH.
python=/usr/bin/python3

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" -eq 0 ] || die "needs root: it makes network namespaces and tap interfaces"
	[ -c /dev/net/tun ] || die "needs /dev/net/tun (modprobe tun, or a container with the device)"
}

# quietly LOG COMMAND...: shows the end of the log only if the command fails.
quietly() {
	local log=$1
	shift
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 40 "$log" >&2
		printf '%s: failed: %s (log: %s)\n' "${0##*/}" "$*" "$log" >&2
		return 1
	fi
}

# build FOLDER [meson options]: configures once, then builds.
build() {
	configure "$@"
	ninja -C "$1"
}

# build_apps FOLDER: only what runs, not what tests it.
build_apps() {
	configure "$1"
	ninja -C "$1" app/wicket/wicket app/wicketctl/wicketctl
}

configure() {
	local folder=$1
	shift
	[ -f "$folder/build.ninja" ] || meson setup "$folder" "$root" "$@"
}
