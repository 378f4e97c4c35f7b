# shellcheck shell=bash
# What the tests of `tollgate policy` share, beside common.sh. Texts in golden/ are written anew with
# TOLLGATE_UPDATE_GOLDEN=1: look at what changed before you keep it.
# shellcheck source=tests/cli/common.sh
. "$2/tests/cli/common.sh"
# shellcheck source=tests/golden/golden.sh
. "$source/tests/golden/golden.sh"

# expect EXIT PATTERN COMMAND…: the exit code, and a pattern in the output of both streams.
expect() {
  local want=$1 pattern=$2 got=0 out
  shift 2
  out=$("$bin/tollgate" policy "$@" 2>&1 </dev/null) || got=$?
  [[ $got == "$want" && $out =~ $pattern ]] || fail "policy $* gave $got (wanted $want): $out (wanted $pattern)"
}

# golden EXIT NAME COMMAND…: the exit code, and an output that is the text of that name.
golden() {
  local want=$1 name=$2 got=0
  shift 2
  "$bin/tollgate" policy "$@" >out 2>err </dev/null || got=$?
  [[ $got == "$want" && ! -s err ]] || fail "policy $* gave $got (wanted $want): $(cat err)"
  expect_golden "$source/tests/cli/golden/$name" out
}

# full_disk COMMAND…: an answer that cannot be written is none.
full_disk() {
  local got=0
  "$bin/tollgate" policy "$@" >/dev/full 2>err </dev/null || got=$?
  [[ $got == 2 && $(tail -n 1 err) == "tollgate: cannot write standard output" ]] || fail "policy $* to a full disk gave $got"
}
