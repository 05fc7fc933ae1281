#!/usr/bin/env bash
# Unpacks the package for 64-bit ARM and runs it in an emulator. The program must print its version,
# read a model, render the same sound as the program of this machine within 1e-4 of full scale, and
# make the checks of its doctor.
# usage: packaging/check-arm.sh PACKAGE_FOR_ARM PROGRAM_OF_THIS_MACHINE
set -euo pipefail
package=$(realpath "$1")
own=$(realpath "$2")
kit=$(realpath "$(dirname "$0")/../tests/rig/kit")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0
check() { # WHAT COMMAND...
  if "${@:2}"; then echo "ok   $1"; else echo "FAIL $1"; failed=1; fi
}
is_for_arm() {
  [ "$(dpkg-deb -f "$package" Architecture)" = arm64 ] &&
    file -b unpacked/usr/bin/timbred | grep -q aarch64
}
is_old_enough() { [ "$(printf '%s\n' "$1" GLIBC_2.36 | sort -V | tail -n 1)" = GLIBC_2.36 ]; }
needs_no_jack() {
  ! aarch64-linux-gnu-objdump -p unpacked/usr/bin/timbred | grep -q 'NEEDED.*libjack'
}
arm() { HOME=$work qemu-aarch64 "unpacked/usr/bin/$1" "${@:2}"; }
is_version() { [ "$(arm "$1" --version)" = "$1 $2" ]; }
reads_the_model() {
  [ "$(arm timbred inspect model live)" = "$(HOME=$work "$own" inspect model live)" ]
}
sounds_alike() {
  python3 - arm.wav own.wav <<'PYTHON'
import array, sys

def samples(path):
    data = open(path, "rb").read()
    at = data.index(b"data")
    length = int.from_bytes(data[at + 4:at + 8], "little")
    return array.array("f", data[at + 8:at + 8 + length])

arm, own = map(samples, sys.argv[1:])
difference = max(abs(a - b) for a, b in zip(arm, own))
loudest = max(map(abs, own))
print(f"{len(arm)} samples, loudest {loudest:.3f}, greatest difference {difference:.2e}")
sys.exit(not (len(arm) == len(own) == 2 * 96000 and loudest > 0.05 and difference < 1e-4))
PYTHON
}
looks_at() { grep -q "\"what\": \"$1\"" doctor.json; }

dpkg-deb -x "$package" unpacked
check "it is a package for 64-bit ARM" is_for_arm
needed=$(aarch64-linux-gnu-objdump -T unpacked/usr/bin/timbre{d,ctl} |
  grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
check "the C library of Debian 12 is new enough for it (it needs $needed)" is_old_enough "$needed"
check "it starts without a JACK library" needs_no_jack
version=$(dpkg-deb -f "$package" Version)
check "timbred says its version, $version" is_version timbred "$version"
check "timbrectl does" is_version timbrectl "$version"
check "inspect says of the model what it says here" reads_the_model
python3 "$kit/songs.py" "$work"
begun=$SECONDS
render=(render scale.mid --to 2 --tail 0 --format 32f)
arm timbred "${render[@]}" arm.wav
echo "2 s of sound took the emulator $((SECONDS - begun)) s"
"$own" "${render[@]}" own.wav
check "it renders what is rendered here, within 1e-4" sounds_alike
# The findings depend on this machine, but the list of what is checked does not.
arm timbred doctor --json >doctor.json || [ $? = 1 ]
for what in "sound device" "MIDI ports" "real-time priority" "processor speed" \
  "disk for recordings"; do
  check "its doctor looks at: $what" looks_at "$what"
done
exit $failed
