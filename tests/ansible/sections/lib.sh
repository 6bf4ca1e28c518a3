# What the sections share: containers, plays in them, and what is expected of both. Sourced by each, from anywhere.
# on-debian sets $CACHE, $work, which one section leaves to the next, and the working directory, which is the repository's.
# shellcheck shell=bash disable=SC2034,SC2154
set -euo pipefail

section=$(basename "$0")
mine=$work/$section
BIN=$PWD/.venv/bin
FREESWITCH=$(realpath "$(command -v freeswitch)")
mkdir -p "$mine"
nspawn=
end() {
  local status=$?
  [ "$status" = 0 ] || [ -z "${first:-}" ] || inside sh -c "journalctl --no-pager | grep -v ' ansible-' | tail -30" || true
  shut_down
  # A server that the section started would be waited for.
  pkill --parent $$ || true
  exit "$status"
}
trap end EXIT

say() { printf '\n== %s\n' "$*"; }
die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# eventually SECONDS COMMAND…: until it succeeds.
eventually() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || die "not within time: $*"
    sleep 0.2
  done
}

# never TEXT: it is not in standard input, which is read to its end.
never() {
  if grep -e "$1" >"$mine/found"; then
    cat "$mine/found"
    die "there is '$1'"
  fi
}
# absent FILE…: inside.
absent() {
  local file
  for file in "$@"; do
    inside test ! -e "$file" || die "$file is there"
  done
}

# boot [LAYER]: a container of the bare Debian, or of what another one became. Its first process is $first, its files are in
# $root.
boot() {
  local lower=${1:+$1:}$CACHE/debian-3
  root=$mine/root
  mkdir -p "$root" "$mine/changes" "$mine/overlay"
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$mine/changes,workdir=$mine/overlay" "$root"
  systemd-nspawn --quiet --register=no --keep-unit --private-network --directory="$root" \
    --bind-ro="$(dirname "$(dirname "$FREESWITCH")")" --bind-ro="$CACHE/packages-3:/srv/packages" \
    --boot >"$mine/console" 2>&1 &
  nspawn=$!
  eventually 120 booted
  inventory
}
booted() {
  first=$(pgrep -P "$nspawn" systemd) && inside systemctl is-system-running | grep -Eq 'running|degraded'
}

shut_down() {
  [ -n "$nspawn" ] || return 0
  kill "$nspawn"
  wait "$nspawn" || true
  umount "$root"
  nspawn=
  first=
}

# A container that site.yml was applied to, restarted since; the first section that asks for one makes it for all.
boot_applied() {
  local layer=$work/applied
  if [ ! -e "$layer" ]; then
    boot
    inside ln -s "$(dirname "$FREESWITCH")/fs_cli" /usr/bin/fs_cli
    play site || { cat "$mine/out"; die "site, for all sections"; }
    shut_down
    mv "$mine/changes" "$layer"
  fi
  boot "$layer"
  eventually 180 takes_calls
}
takes_calls() { [ "$(inside sipbridge status --json | json switch.hasLease)" = True ]; }

inside() {
  nsenter --target "$first" --mount --pid --uts --ipc --net -- env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# vary NAME: standard input are variables of the bridge, which go before those of names that come earlier.
vary() {
  cat >"$mine/inventory/host_vars/bridge/$1.yml"
}

inventory() {
  mkdir -p "$mine/inventory/host_vars/bridge"
  cat >"$mine/inventory/hosts.yml" <<YAML
sipbridge:
  hosts:
    bridge:
prometheus:
  hosts: {}
YAML
  providers "the first" Always
  vary 0-base <<YAML
ansible_connection: nsenter
nsenter_pid: $first
ansible_python_interpreter: /usr/bin/python3
sipbridge_wheel: $(echo "$PWD"/dist/*.whl)
sipbridge_wheelhouse: $PWD/dist/wheelhouse
sipbridge_providers_file: $mine/providers.json
sipbridge_event_socket_password: made-up-for-the-test
freeswitch_event_socket_password: made-up-for-the-test
freeswitch_program: $FREESWITCH
freeswitch_vars:
  sipbridge_inside_ip: 127.0.0.1
  sipbridge_providers_ip: 127.0.0.1
  sipbridge_inside_networks: 127.0.0.0/8
  # sipp refreshes no session: a call that is held for a section that takes long would end.
  sipbridge_session_timeout_s: 86400
freeswitch_restart_wait_s: 10
# Many machines that tests run on may not.
freeswitch_realtime: false
sipbridge_realtime: false
YAML
}

# providers NAME STRATEGY: the providers file, with that strategy as the condition of its only provider.
providers() {
  cat >"$mine/providers.json" <<JSON
{
  "schemaVersion": 2,
  "providers": [{
    "name": "$1", "accountPool": "pool",
    "triggerCondition": {"strategy": "$2"}, "accountToUse": {"strategy": "Random"}, "onAccountNotFound": "decline",
    "outgoingInvite": {"to": "sip:{incoming.requestUri.user}@{account.uri.hostport}"}
  }],
  "accountPools": {"pool": {
    "outboundProxy": "<sip:127.0.0.1:5070>", "registrationRequired": false, "maxCallsPerLine": 20,
    "loader": [{"uri": "sip:account1@127.0.0.1:5070", "secretType": "clrtxt", "secret": "Mellon-in-a-file"}]
  }}
}
JSON
}

# play PLAYBOOK ARGUMENTS…: its output is in $mine/out.
play() {
  local playbook=$1
  shift
  ANSIBLE_CONFIG=ansible/ansible.cfg ANSIBLE_CONNECTION_PLUGINS=$PWD/tests/ansible/connection_plugins \
    ANSIBLE_FORCE_COLOR=0 ANSIBLE_TIMEOUT=120 ${PLAY_IN:-} "$BIN/ansible-playbook" -i "$mine/inventory" "ansible/playbooks/$playbook.yml" "$@" >"$mine/out" 2>&1
}
expect_play() {
  play "$@" || { cat "$mine/out"; die "$*"; }
  sed -n '/PLAY RECAP/,$ {/ok=/p}' "$mine/out"
}
expect_unchanged() {
  grep -q 'changed=0 ' "$mine/out" || { grep -B3 -A12 '^changed' "$mine/out"; die "something changed"; }
}
# expect_refusal TEXT PLAYBOOK ARGUMENTS…: the play fails, and says this.
expect_refusal() {
  local text=$1
  shift
  if play "$@"; then die "the play went on: $*"; fi
  grep -e "$text" "$mine/out" || { cat "$mine/out"; die "not said: $text"; }
}

# A provider that answers every call.
answer_calls() { inside sipp -sn uas -i 127.0.0.1 -p 5070 -bg -nostdin >/dev/null || true; }
expect_calls() {
  inside timeout 60 sipp -sn uac 127.0.0.1:5060 -i 127.0.0.1 -p 5099 -s +33612345678 -m 20 -r 10 -d 500 -nostdin >"$mine/sipp" 2>&1 ||
    { tail -30 "$mine/sipp"; die "calls failed"; }
  grep -E 'Successful call|Failed call' "$mine/sipp" | head -2
}

# hold_calls NUMBER: calls that stay until they are hung up.
hold_calls() {
  inside sipp -sn uac 127.0.0.1:5060 -i 127.0.0.1 -p 5098 -s +33612345678 -m "$1" -r 10 -d 3600000 -bg -nostdin >/dev/null || true
  eventually 120 both_legs "$1"
}
in_progress() { [ "$(inside sipbridge status --json | json traffic.inProgress)" = "$1" ]; }
both_legs() { in_progress "$1" && [ "$(channels | wc -l)" = $((2 * $1)) ]; }
hang_up() { inside fs_cli -x 'hupall NORMAL_CLEARING' >/dev/null; }
# The calls that FreeSWITCH carries, by their channels.
channels() { inside fs_cli -x 'show channels' | grep -oE '^[0-9a-f]{8}-[0-9a-f-]{27}' | sort; }
# json PATH: that value of the object on standard input.
json() { python3 -c 'import functools, json, sys; print(functools.reduce(lambda o, k: o[k], sys.argv[1].split("."), json.load(sys.stdin)))' "$1"; }

# Everything that others can see of what runs, and what it has logged.
visible() { inside sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" "\n"; journalctl --no-pager'; }

# Where and when it was started, so that a restart can be told from a reload.
started() { inside systemctl show --property=InvocationID --value "$1"; }

# Every file that there is, except what the system itself writes while it runs.
everything() {
  inside find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /root/.ansible \
    -o -path /var/lib/apt -o -path /var/cache -o -path /var/log/journal -o -path /var/lib/systemd -o -path /var/tmp \) -prune -o -print | sort
}

# wheel VERSION: the repository's program as that version; its path.
wheel() {
  local source=$work/source-$1
  if [ ! -e "$source" ]; then
    mkdir "$source"
    git ls-files -z controller docs/man pyproject.toml README.md LICENSE requirements.lock | xargs -0 cp --parents --target-directory="$source"
    sed -i "s/^version = .*/version = \"$1\"/" "$source/pyproject.toml"
    "$BIN/pip" wheel -q --disable-pip-version-check --no-deps --wheel-dir "$source/dist" "$source" 2>/dev/null
  fi
  echo "$source"/dist/*.whl
}
