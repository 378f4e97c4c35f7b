# shellcheck shell=bash
# What the tests of the command line share, which source this with their arguments, BIN_DIR and SOURCE_DIR. They are in an
# empty directory then, and end with `finish`.
set -euo pipefail
bin=$1
source=$2
failures=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

# documented WORD…: the man page and the completion know each of these commands and options.
documented() {
  local word
  for word in "$@"; do
    grep -qF -- "${word//-/\\-}" "$source/tools/cli/tollgate.1" || fail "the man page does not know $word"
    grep -qF -- "$word" "$source/tools/cli/tollgate.bash" || fail "the completion does not know $word"
  done
}

# options_of [COMMAND…]: the options of a command, as its help has them; $program is another one than tollgate.
options_of() {
  "$bin/${program-tollgate}" "$@" --help | grep -oE '^  (-[a-z],)?--[a-z-]+' | grep -oE -- '--[a-z-]+' | grep -vx -- --help
}

finish() {
  [[ $failures == 0 ]] && echo "all as expected"
  exit "$((failures > 0))"
}
