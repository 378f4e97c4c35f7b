# Shared by tools/test and tools/bench: the packages of a fresh Debian 12 machine, configuring and building a preset.
# Sourced by bash after `set -euo pipefail`; $me names the command in messages.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc)

readonly build_packages=(
  cmake ninja-build g++ pkg-config dpkg-dev ca-certificates python3 openssl
  libabsl-dev libsimdjson-dev libcurl4-openssl-dev libssl-dev libbenchmark-dev libxxhash-dev
  nlohmann-json3-dev libboost1.81-dev libcli11-dev libyaml-cpp-dev
)
# What HAProxy links, and what nginx's headers include: both are unpacked and not installed.
readonly haproxy_packages=(liblua5.3-0 libopentracing-c-wrapper0)
readonly nginx_packages=(libpcre2-dev zlib1g-dev)
readonly test_packages=(
  clang libclang-rt-14-dev clang-format clang-tidy libgtest-dev libgmock-dev git curl
  g++-aarch64-linux-gnu qemu-user  # 70 MB: the other processor's part of engine/crypto.
  "${haproxy_packages[@]}" "${nginx_packages[@]}"
)
# Of the real identity provider and the MCP clients: 400 packages in Debian, and none if node is there from elsewhere.
readonly node_packages=(nodejs npm)
# In front of tollgated, in tests/e2e; all but Caddy are also measured beside it. nginx-dev is for tools/nginx.
readonly test_programs=(nginx nginx-dev haproxy caddy)

die() {
  echo "$me: $*" >&2
  exit 2
}

# Node 18 or later with npm, from wherever.
have_node() {
  command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null
}

# need_packages PACKAGE…: installs what is missing, through sudo if we are not root. Removes nothing.
need_packages() {
  local -a wanted=() missing as_root=()
  local package
  for package in "$@"; do
    [[ " ${node_packages[*]} " == *" $package "* ]] && have_node || wanted+=("$package")
  done
  command -v dpkg-query >/dev/null ||
    die "this is not Debian: install what tools/common.sh lists, then cmake --preset release"
  mapfile -t missing < <(
    comm -23 <(printf '%s\n' "${wanted[@]}" | sort) \
      <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p' | sort)
  )
  [[ ${#missing[@]} -gt 0 ]] || return 0
  local id="" version_id=""
  # shellcheck disable=SC1091
  [[ ! -r /etc/os-release ]] || { id=$(. /etc/os-release && echo "${ID-}") && version_id=$(. /etc/os-release && echo "${VERSION_ID-}"); }
  [[ $id == debian && $version_id == 12 ]] ||
    die "missing ${missing[*]}, and this is not Debian 12: install them, then cmake --preset release"
  command -v apt-get >/dev/null || die "missing ${missing[*]}, and there is no apt-get"
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || die "neither root nor sudo: ask for apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  echo "$me: installing ${missing[*]}" >&2
  local -a apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
  "${apt[@]}" -o APT::Update::Error-Mode=any update >&2 || die "apt-get update failed (above): is there a network?"
  "${apt[@]}" install -y --no-remove --no-install-recommends "${missing[@]}" >&2 ||
    die "apt-get could not install ${missing[*]} (above)"
}

# need_programs PACKAGE…: unpacks packages into a cache and puts their programs first on the PATH. Installed, their services
# would start, now and at each boot, and listen for everybody. What they link is among the packages that are installed.
need_programs() {
  local cache=${TOLLGATE_CACHE:-${XDG_CACHE_HOME:-${HOME-}/.cache}/tollgate}/programs package work
  for package in "$@"; do
    [[ ! -e $cache/$package.unpacked ]] || continue
    echo "$me: unpacking $package" >&2
    mkdir -p "$cache" && work=$(mktemp -d "$cache/tmp.XXXXXX") || die "cannot write to $cache: set TOLLGATE_CACHE to a directory of yours"
    (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$package" && dpkg -x ./*.deb "$cache") >&2 ||
      die "apt-get could not download $package (above): apt-get update may help"
    rm -rf "$work"
    touch "$cache/$package.unpacked"
  done
  PATH=$cache/usr/sbin:$cache/usr/bin:$PATH
}

# build_preset PRESET [-DOPTION=VALUE…]: configures and builds into build/PRESET. Warnings are errors here, in every
# caller alike, so that they share one tree without rebuilding it. $build_target, if set, is all that is built.
build_preset() {
  local preset=$1 launcher=()
  shift
  command -v c++ >/dev/null || die "no C++ compiler (c++): apt-get install g++"
  if command -v ccache >/dev/null; then
    # One checkout's results serve another.
    export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  (cd "$root" && cmake --preset "$preset" -DTOLLGATE_WERROR=ON "${launcher[@]}" "$@" &&
    cmake --build --preset "$preset" --parallel "$jobs" ${build_target:+--target "$build_target"})
}
