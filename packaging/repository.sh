#!/usr/bin/env bash
# Makes an apt repository of packages: a folder for a web server or a USB stick.
#   KEY=NAME packaging/repository.sh FOLDER PACKAGE...
# KEY: a key of gpg that signs it; without one, users must declare the repository trusted.
set -euo pipefail
folder=$1
shift
suite=stable
dist=$folder/dists/$suite
rm -rf "$folder/dists"
mkdir -p "$folder/pool/main" "$dist"
cp "$@" "$folder/pool/main/"

cd "$folder"
dist=dists/$suite
kinds=$(for package in pool/main/*.deb; do dpkg-deb -f "$package" Architecture; done | sort -u)
for kind in $kinds; do
  index=$dist/main/binary-$kind
  mkdir -p "$index"
  apt-ftparchive --arch "$kind" packages pool/main >"$index/Packages"
  gzip -9nk "$index/Packages"
done
say=APT::FTPArchive::Release
apt-ftparchive -o "$say::Origin=timbred" -o "$say::Label=timbred" -o "$say::Suite=$suite" \
  -o "$say::Codename=$suite" -o "$say::Components=main" -o "$say::Architectures=${kinds//$'\n'/ }" \
  release "$dist" >Release
mv Release "$dist/"
if [ -n "${KEY:-}" ]; then
  sign() { gpg --batch --yes --local-user "$KEY" --output "$dist/$1" "${@:2}" "$dist/Release"; }
  sign InRelease --clearsign
  sign Release.gpg --detach-sign --armor
  gpg --batch --yes --export --output timbred-archive-keyring.gpg "$KEY"
  trust="signed-by=/usr/share/keyrings/timbred-archive-keyring.gpg"
else
  trust="trusted=yes"
fi
echo "$folder holds packages for ${kinds//$'\n'/ and }; whoever uses it says, as root:"
[ -z "${KEY:-}" ] || echo "  cp timbred-archive-keyring.gpg /usr/share/keyrings/"
echo "  echo 'deb [$trust] ADDRESS $suite main' >/etc/apt/sources.list.d/timbred.list"
echo "  apt update && apt install timbred"
