#!/usr/bin/env bash
# Checks both units with systemd-analyze. As that returns 0 even for a misspelt key, any output
# counts as a failure. The program need not be installed: a stand-in takes its place. Exit code 77:
# systemd-analyze is not installed.
set -euo pipefail
cd "$(dirname "$0")"
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is not installed: nothing was checked" >&2; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#!/bin/sh\n' >"$folder/timbred"
chmod 755 "$folder" "$folder/timbred"
mkdir "$folder/user"
failed=0
for unit in timbred.service user/timbred.service; do
  manager=--system
  [ "$unit" = timbred.service ] || manager=--user
  grep -q '^ExecStart=/usr/bin/timbred' "$unit" || { echo "$unit: no ExecStart=/usr/bin/timbred to stand in for" >&2; failed=1; }
  sed "s|^ExecStart=/usr/bin/timbred|ExecStart=$folder/timbred|" "$unit" >"$folder/$unit"
  if ! said=$(XDG_RUNTIME_DIR="$folder" systemd-analyze $manager --man=no verify "$folder/$unit" 2>&1) || [ -n "$said" ]; then
    echo "$unit: $said" >&2
    failed=1
  else
    echo "$unit: fine"
  fi
done
exit $failed
