#!/usr/bin/env bash
# Makes repositories of packages, signed and unsigned, and installs the packages from them with apt
# itself. A repository must be refused if its package was changed afterwards, or if it is signed
# with another key.
# usage: packaging/check-repository.sh PACKAGE...
set -euo pipefail
here=$(realpath "$(dirname "$0")")
packages=$(realpath "$@")
work=$(mktemp -d)
chmod 755 "$work" # apt's own user reads it.
trap 'gpgconf --kill all; rm -rf "$work"' EXIT
export GNUPGHOME=$work/keys
mkdir -m 700 "$GNUPGHOME"
cd "$work"
failed=0
check() { # WHAT COMMAND...
  if "${@:2}" >>log 2>&1; then echo "ok   $1"; else echo "FAIL $1"; cat log; failed=1; fi
  : >log
}
refused() { # REASON COMMAND...
  local said
  said=$("${@:2}" 2>&1) && return 1
  echo "$said"
  grep -q "$1" <<<"$said"
}
new_key() {
  gpg --batch --quiet --passphrase '' --quick-gen-key "$1" rsa3072 sign never 2>>log
}
# Runs apt with one source and nothing from this machine.
apt_of() { # SOURCE COMMAND...
  rm -rf apt && mkdir -p apt/{state/lists/partial,cache/archives/partial,etc/trusted}
  touch apt/status
  echo "$1" >apt/etc/sources.list
  local options=(-o Dir::State="$work/apt/state" -o Dir::State::status="$work/apt/status"
    -o Dir::Cache="$work/apt/cache" -o Dir::Etc::sourcelist="$work/apt/etc/sources.list"
    -o Dir::Etc::sourceparts=- -o Dir::Etc::trustedparts="$work/apt/etc/trusted"
    -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root
    -o APT::Update::Error-Mode=any)
  apt-get "${options[@]}" update && (mkdir -p got && cd got && apt-get "${options[@]}" "${@:2}")
}
is_there() { # that what apt took is what was built
  for package in $packages; do
    rm -rf got
    apt_of "$1" download "timbred:$(dpkg-deb -f "$package" Architecture)" || return 1
    cmp got/*.deb "$package" || return 1
  done
}
kind=$(dpkg-deb -f "${packages%%$'\n'*}" Architecture)
new_key "a maker"
new_key "somebody else"
# shellcheck disable=SC2086
bash "$here/repository.sh" "$work/plain" $packages >said
check "the script says what to do with an unsigned one" grep -q "trusted=yes" said
# shellcheck disable=SC2086
KEY="a maker" bash "$here/repository.sh" "$work/signed" $packages >said 2>>log
check "and with a signed one" grep -q "signed-by" said
gpg --export --output other.gpg "somebody else"
signed="deb [signed-by=$work/signed/timbred-archive-keyring.gpg] file:$work/signed stable main"
other="deb [signed-by=$work/other.gpg] file:$work/signed stable main"
check "apt takes every package out of an unsigned one that is trusted" \
  is_there "deb [trusted=yes] file:$work/plain stable main"
check "and out of a signed one" is_there "$signed"
check "apt refuses an unsigned one" \
  refused "is not signed" apt_of "deb file:$work/plain stable main" check
check "and one that another key has signed" refused "NO_PUBKEY" apt_of "$other" check
for package in signed/pool/main/*.deb; do echo changed >>"$package"; done
check "and a package that was changed" \
  refused "Hash Sum mismatch" apt_of "$signed" download "timbred:$kind"
exit $failed
