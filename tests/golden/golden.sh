# shellcheck shell=bash
# golden.h for scripts, which source this and have a function `fail`.

# expect_golden FILE OUTPUT: the output, a file, is what the golden file holds. With TOLLGATE_UPDATE_GOLDEN in the
# environment the golden file is written first.
expect_golden() {
  [[ -z ${TOLLGATE_UPDATE_GOLDEN:-} ]] || cp "$2" "$1"
  diff -u "$1" "$2" || fail "not as in $1: TOLLGATE_UPDATE_GOLDEN=1 writes it anew, look at what changed before you keep it"
}
