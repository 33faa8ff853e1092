# Shell functions that all set-up scripts share: words to the user, stamps, the lock, long steps with their progress.
# Sourced with CEREBELLUM_ROOT set. POSIX sh; needs no Node package and writes nothing to standard output.

cerebellum_setup="$CEREBELLUM_ROOT/launch/setup"
cerebellum_ros2="$CEREBELLUM_ROOT/.ros2"
cerebellum_logs="$CEREBELLUM_ROOT/.cerebellum/prepare"
running_steps=''

say() { printf 'cerebellum: %s\n' "$*" >&2; }

# Ends the script: what happened, then what to do.
fail() {
  printf 'cerebellum: %s.\n            %s.\n' "$1" "$2" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Hash of the words given and of the contents and names (relative to the root) of the files listed on standard input.
hash_of() {
  (
    cd "$CEREBELLUM_ROOT"
    printf '%s\n' "$@"
    LC_ALL=C sort | tr '\n' '\0' | xargs -0 sha256sum -- 2>/dev/null
  ) | sha256sum | cut -c1-32
}

# A stamp is a file that holds the hash of what a finished step was made from. The hash is taken first, since a file may
# change while the step runs; the stamp is written last.
stamp_current() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }
write_stamp() {
  mkdir -p "$(dirname "$1")"
  printf '%s\n' "$2" >"$1.new"
  mv -f "$1.new" "$1"
}

# Start of a process in clock ticks since boot: with the number it names one process, so a reused number fools nobody.
process_start() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# One preparation at a time. The lock is a folder (made atomically) that names its holder.
take_lock() {
  cerebellum_lock="$CEREBELLUM_ROOT/.cerebellum/prepare.lock"
  mkdir -p "$CEREBELLUM_ROOT/.cerebellum"
  lock_told='' lock_nameless=0
  until mkdir "$cerebellum_lock" 2>/dev/null; do
    lock_pid='' lock_start=''
    if read -r lock_pid lock_start <"$cerebellum_lock/holder"; then lock_nameless=0; fi 2>/dev/null
    if [ -z "$lock_pid" ]; then
      # Its holder is about to write its name, or was killed before it could.
      lock_nameless=$((lock_nameless + 1))
      if [ "$lock_nameless" -gt 25 ]; then drop_stale_lock; fi
    elif [ "$(process_start "$lock_pid")" != "$lock_start" ]; then
      drop_stale_lock
    elif [ -z "$lock_told" ]; then
      lock_told=yes
      say "another preparation is running (process $lock_pid): waiting for it"
    fi
    sleep 0.2
  done
  printf '%s %s\n' "$$" "$(process_start $$)" >"$cerebellum_lock/holder"
}

# Renamed before it is removed, so that of two who find it stale only one removes it.
drop_stale_lock() {
  if mv "$cerebellum_lock" "$cerebellum_lock.stale.$$" 2>/dev/null; then rm -rf "$cerebellum_lock.stale.$$"; fi
}

release_lock() { rm -rf "${cerebellum_lock:?}"; }

# Runs a step in a session of its own, so that all its children can be ended with it.
# start_step NAME TEXT: returns at once; wait_steps waits for all that were started.
start_step() {
  say "$2"
  mkdir -p "$cerebellum_logs"
  setsid sh "$cerebellum_setup/step.sh" "$1" >"$cerebellum_logs/$1.log" 2>&1 </dev/null &
  running_steps="$running_steps $1:$!"
}

run_step() {
  start_step "$@"
  wait_steps
}

# Waits for every started step, says every ten seconds what is still running, and ends the script if one failed.
wait_steps() {
  wait_begin=$(date +%s) wait_said=0
  while [ -n "${running_steps# }" ]; do
    wait_left='' wait_names=''
    for wait_step in $running_steps; do
      if kill -0 "${wait_step#*:}" 2>/dev/null; then
        wait_left="$wait_left $wait_step" wait_names="$wait_names ${wait_step%%:*}"
      else
        end_step "${wait_step%%:*}" "${wait_step#*:}"
      fi
    done
    running_steps=$wait_left
    if [ -z "$wait_left" ]; then break; fi
    wait_elapsed=$(($(date +%s) - wait_begin))
    if [ "$wait_elapsed" -ge $((wait_said + 10)) ]; then
      wait_said=$wait_elapsed
      say "  ${wait_elapsed} s:$wait_names"
    fi
    sleep 0.2
  done
}

end_step() {
  if wait "$2"; then return 0; fi
  running_steps=$(printf '%s' "$running_steps" | sed "s/ $1:$2//")
  stop_steps
  say "'$1' failed. The end of its log ($cerebellum_logs/$1.log):"
  tail -n 25 "$cerebellum_logs/$1.log" | sed 's/^/  | /' >&2
  exit 1
}

# Ends every running step and its children; nothing they left half made carries a stamp.
stop_steps() {
  for stop_step in $running_steps; do kill -s TERM -- "-${stop_step#*:}" 2>/dev/null || :; done
  for stop_step in $running_steps; do wait "${stop_step#*:}" 2>/dev/null || :; done
  running_steps=''
}
