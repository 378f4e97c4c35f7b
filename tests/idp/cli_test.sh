#!/usr/bin/env bash
# Does the program tollgate-idp do what its help says, and refuse the rest in one line with exit code 2?
# usage: cli_test.sh PROGRAM
set -euo pipefail
idp=$1
dir=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill -9 "$server" 2>/dev/null; rm -rf "$dir"' EXIT

fail() { echo "FAILED: $1" >&2; exit 1; }

refused() {
  local code=0
  "$idp" "$@" >"$dir/out" 2>"$dir/err" || code=$?
  [[ $code == 2 ]] || fail "exit code $code and not 2: $*"
  [[ ! -s $dir/out && $(wc -l <"$dir/err") == 1 ]] || fail "not one line on stderr: $*"
  grep -q '^tollgate-idp: .' "$dir/err" || fail "the line does not say whose it is: $*"
}

# start PORT: serves, and sets $server and $port.
start() {
  : >"$dir/ready"  # What the one before has written is not this one's.
  "$idp" serve --keys "$dir/serve.json" --alg ES256,EdDSA --port "$1" >"$dir/ready" &
  server=$!
  for _ in $(seq 300); do
    grep -q '^ready http://127.0.0.1:[0-9]*$' "$dir/ready" && break
    sleep 0.1
  done
  port=$(sed -n 's/^ready .*://p' "$dir/ready")
  [[ -n $port ]] || fail "serve printed no ready line in 30 s"
}

jwks() {
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf 'GET /jwks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3
  tail -n1 <&3
  exec 3>&-
}

refused
refused nonsense
refused mint --keys "$dir/k.json"
refused keys --keys "$dir/k.json" --alg none
refused keys --keys /nonexistent/k.json
refused serve --keys "$dir/k.json" --port 70000
refused mint --keys "$dir/k.json" --alg ES256 --issuer i --audience a --output /nonexistent/t
refused mint --keys "$dir/k.json" --alg RS256 --issuer i --audience a
echo '{"keys":[{"kty":"EC"}]}' >"$dir/broken.json"
refused keys --keys "$dir/broken.json"
"$idp" --help | grep -q serve || fail "no help"

"$idp" mint --keys "$dir/m.json" --alg ES256,EdDSA --issuer https://i --audience a --count 6 --issuers 2 --bytes 800 \
  --key-count 2 --output "$dir/tokens"
[[ $(wc -l <"$dir/tokens") == 6 && $(sort -u "$dir/tokens" | wc -l) == 6 ]] || fail "not 6 different tokens"
while read -r token; do
  [[ ${#token} == 800 || ${#token} == 801 ]] || fail "a token of ${#token} bytes"
  [[ $token =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$ ]] || fail "a token of another form"
done <"$dir/tokens"
"$idp" keys --keys "$dir/m.json" --issuers 2 --issuer-index 1 | grep -c '"kid"' | grep -qx 2 || fail "not 2 keys an issuer"

start 0
before=$(jwks)
[[ $before == '{"keys":['*'"crv":"P-256"'*'"crv":"Ed25519"'* && $before != *'"d":'* ]] || fail "no key set"
kill -9 "$server"
wait "$server" 2>/dev/null || true
start "$port"
[[ $(jwks) == "$before" ]] || fail "other keys after kill -9"
refused serve --keys "$dir/serve.json" --port "$port"
kill "$server"
wait "$server" || fail "exit code $? after SIGTERM"
server=
echo ok
