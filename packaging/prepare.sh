#!/bin/sh
# Makes the files of the package other than the programs: manual pages, completions, and the
# changelog.
# usage: packaging/prepare.sh FOLDER_OF_PROGRAMS FOLDER_TO_WRITE [EMULATOR]
set -eu
programs=$1
out=$2
emulator=${3:-}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$(dirname "$0")/../Cargo.toml" | head -n 1)
mkdir -p "$out"
for program in timbred timbrectl; do
    $emulator "$programs/$program" man | gzip -9n >"$out/$program.1.gz"
    for shell in bash zsh fish; do
        $emulator "$programs/$program" completions "$shell" >"$out/$program.$shell"
    done
done
gzip -9n >"$out/changelog.gz" <<TXT
timbred ($version) stable; urgency=medium

  * See CHANGELOG.md of the project, /usr/share/doc/timbred/CHANGELOG.md.

 -- The timbred authors <timbred@example.org>  $(date -R -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")
TXT
