# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The scene of Cloud City, for scripts/demo and scripts/lab: a client's and a server's network
# namespace, joined by nothing but wicket on two taps. To be sourced after lib.sh.
#
# wicket starts in a third namespace, so that its taps never appear among the machine's own
# interfaces; they are moved to their sides when it is ready.

scene=/run/wicket-demo
instance=wicket-demo
client_ns=wicket-demo-client
server_ns=wicket-demo-server
box_ns=wicket-demo-box
client_ip=10.50.1.20
server_ip=10.50.2.10
conf=$scene/wicket.conf
events=$scene/events.json
record=$scene/record.json
wicket=$root/build/app/wicket/wicket
wicketctl=$root/build/app/wicketctl/wicketctl

# One scene at a time: the lock is held until this process ends. What it starts does not inherit it
# (9>&- where something is left running).
scene_lock() {
	exec 9>"$scene.lock"
	flock -w 5 9 || die "another demo or lab is running"
}

# An empty folder, and the programs.
scene_build() {
	scene_close
	mkdir -p "$scene"
	"$root/scripts/install-deps" build demo
	quietly "$scene/build.log" build_apps "$root/build"
}

# scene_open MODE
scene_open() {
	scene_namespaces
	scene_conf "$1" >"$conf"
	scene_wicket
	scene_door_manager
}

# scene_conf MODE: the whole configuration; a policy is applied by saying "enforce".
scene_conf() {
	cat <<-EOF
	version = 1;
	ports = ( { name = "outside"; device = "net_tap0,iface=wkc"; },
	          { name = "inside";  device = "net_tap1,iface=wks"; } );
	wires = ( { client = "outside"; server = "inside"; } );
	groups = { public-terminals = [ "10.50.1.0/24" ]; };
	services = (
	  { name = "door-manager"; addresses = [ "$server_ip" ]; port = 50051;
	    mode = "$1";
	    access = (
	      { name = "terminals"; from = [ "@public-terminals" ];
	        allow = [ "/cloudcity.DoorManager/GetName",
	                  "/cloudcity.DoorManager/GetLocation",
	                  "/cloudcity.DoorManager/RequestMaintenance" ]; } );
	    unlisted_source = "drop";
	    reply = "http-403"; } );
	default = "pass";
	instance = "$instance";
	workers = 1;
	events = { file = "$events"; };
	EOF
}

# wait_until SECONDS WHAT COMMAND...
wait_until() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || {
			printf '%s: waited in vain for %s\n' "${0##*/}" "$what" >&2
			return 1
		}
		sleep 0.05
	done
}

in_ns() {
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

alive() { [ -n "${1:-}" ] && kill -0 "$1" 2>/dev/null; }
pid_of() { cat "$scene/$1.pid" 2>/dev/null || true; }

scene_namespaces() {
	local ns
	for ns in $client_ns $box_ns $server_ns; do
		ip netns add $ns
		ip -n $ns link set lo up
	done
}

wicket_listens() {
	alive "$(pid_of wicket)" || die "wicket has ended: $(tail -n 5 "$scene/wicket.log")"
	grep -q ready "$scene/wicket.log"
}

scene_wicket() {
	# Not through the function: $! is to be the program itself, which signals must reach.
	nsenter --net="/run/netns/$box_ns" -- "$wicket" -c "$conf" >"$scene/wicket.log" 2>&1 </dev/null 9>&- &
	echo $! >"$scene/wicket.pid"
	wait_until 30 "wicket" wicket_listens
	place wkc $client_ns $client_ip
	place wks $server_ns $server_ip
}

# place TAP NAMESPACE ADDRESS
place() {
	ip -n $box_ns link set "$1" netns "$2"
	ip -n "$2" addr add "$3/16" dev "$1"
	ip -n "$2" link set "$1" up
}

scene_door_manager() {
	PYTHONPATH=$root/dts nsenter --net="/run/netns/$server_ns" -- "$python" -m cloudcity.server \
		--listen "$server_ip:50051" --record "$record" >"$scene/door-manager.log" 2>&1 \
		</dev/null 9>&- &
	echo $! >"$scene/door-manager.pid"
	wait_until 20 "the door manager" grep -q ready "$record"
}

# scene_reload MODE: replaces the file in one step, tells wicket, waits until it judges.
scene_reload() {
	local before
	before=$(policy_version)
	scene_conf "$1" >"$conf.new"
	mv "$conf.new" "$conf"
	kill -HUP "$(pid_of wicket)"
	wait_until 5 "the new policy" newer_policy "$before"
}

policy_version() {
	"$wicketctl" -i $instance raw /wicket/info | sed -n 's/.*"policy_version": *\([0-9]*\).*/\1/p'
}
newer_policy() { [ "$(policy_version)" != "$1" ]; }

# terminal METHOD DOOR [ARGUMENT]: a public terminal, in a process of its own.
terminal() {
	PYTHONPATH=$root/dts in_ns $client_ns "$python" -m cloudcity.client \
		--server "$server_ip:50051" "$@"
}

# end_of NAME SECONDS: SIGTERM, and its exit status if it is a child of ours. Killed after the time.
end_of() {
	local pid deadline=$((SECONDS + $2))
	pid=$(pid_of "$1")
	rm -f "$scene/$1.pid"
	alive "$pid" || return 0
	kill -TERM "$pid"
	while alive "$pid"; do
		if [ $SECONDS -ge $deadline ]; then
			kill -KILL "$pid"
			return 1
		fi
		sleep 0.05
	done
	wait "$pid" 2>/dev/null || {
		local status=$?
		[ $status -eq 127 ] || return $status # 127: a child of an earlier run
	}
}

# Takes away everything that a scene has made, this one or one that was kept. Never fails.
scene_close() {
	local ns pid
	end_of wicket 5 || true
	end_of door-manager 5 || true
	for ns in $client_ns $server_ns $box_ns; do
		[ -e "/run/netns/$ns" ] || continue
		for pid in $(ip netns pids $ns); do
			kill -KILL "$pid" 2>/dev/null || true
		done
		ip netns del $ns || true
	done
	rm -rf "$scene" "/run/dpdk/$instance"
}
