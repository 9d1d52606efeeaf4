#!/bin/sh
# One allocation's work: counts. Goes on from the last number in its file and appends a line a tick:
#   {"n":17,"resource":"north-1","group":"…","epoch":3,"at":1700000000000}
# A gap or a repeated number in the file is therefore proof of lost or doubled work.
# Ends when its standard input does: then the agent has died, and another host may already be counting. Ends also when
# the lease has run out that the agent notes in LABSCAPE_LEASE_FILE: then the agent hangs.
set -u
tick_s=${COUNTER_TICK_S:-0.5}
# Two files of this size are the most that one counter keeps: a fleet left on overnight must not fill the disk.
bytes_max=1048576
check_every=1024

folder=$COUNTER_DIR/$LABSCAPE_TENANT
file=$folder/$LABSCAPE_ALLOCATION.jsonl
mkdir -p "$folder" || exit 1

# A shell that runs something in the background takes its standard input away; descriptor 3 gives it back.
exec 3<&0
(
  while read -r _; do :; done
  kill "$$"
) <&3 3<&- >/dev/null 2>&1 &
exec 3<&- </dev/null

last_number() {
  sed -n 's/^{"n":\([0-9][0-9]*\),.*}$/\1/p' | tail -n 1
}

n=0
if [ -s "$file" ]; then
  # A crash in the middle of a line left it without an end: close it, so that it spoils no other.
  if [ -n "$(tail -c 1 "$file")" ]; then printf '\n' >>"$file" || exit 1; fi
  n=$(tail -n 50 "$file" | last_number)
  [ -n "$n" ] || n=$(last_number <"$file")
elif [ -e "$file.1" ]; then
  n=$(tail -n 50 "$file.1" | last_number)
fi
n=${n:-0}

# Epoch ms without starting a process each tick, where the kernel's uptime can be read; else whole seconds.
uptime_ms() {
  read -r up _ </proc/uptime
  up=${up%.*}${up#*.}0
}
offset=
if [ -r /proc/uptime ]; then
  uptime_ms
  at=$(date +%s%3N)
  case $at in *[!0-9]*) ;; *) offset=$((at - up)) ;; esac
fi

while :; do
  n=$((n + 1))
  if [ -n "$offset" ]; then
    uptime_ms
    at=$((offset + up))
  else
    at=$(date +%s)000
  fi
  if [ -n "${LABSCAPE_LEASE_FILE:-}" ]; then
    read -r lease_until <"$LABSCAPE_LEASE_FILE" || exit 1
    [ "$at" -lt "$lease_until" ] || exit 0
  fi
  printf '{"n":%s,"resource":"%s","group":"%s","epoch":%s,"at":%s}\n' \
    "$n" "$LABSCAPE_RESOURCE" "$LABSCAPE_GROUP" "$LABSCAPE_EPOCH" "$at" >>"$file" || exit 1
  if [ $((n % check_every)) -eq 0 ] && [ "$(wc -c <"$file")" -gt "$bytes_max" ]; then
    mv "$file" "$file.1" || exit 1
  fi
  sleep "$tick_s"
done
