#!/bin/sh
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unpacks Debian's nvidia-smi and NVIDIA's library into a directory, without installing them and from the mirror that
# apt knows already; fails where there is no such package.
set -eu
cd "$1"
# shellcheck disable=SC2016 # apt-get's own variables
apt-get indextargets --format '$(SITE) $(CODENAME) $(LABEL)' 'Created-By: Packages' |
  awk '$3 == "Debian" && $2 !~ /-/ { print "deb", $1, $2, "non-free"; exit }' >sources.list
test -s sources.list
mkdir -p lists/partial archives/partial unpacked
own="-o Dir::Etc::SourceList=$PWD/sources.list -o Dir::Etc::SourceParts=- -o Dir::State::Lists=$PWD/lists"
own="$own -o Dir::Cache::Archives=$PWD/archives -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
# shellcheck disable=SC2086 # options, none of which holds a space
{
  apt-get $own -qq update
  apt-get $own -qq download nvidia-smi libnvidia-ml1
}
for package in *.deb; do
  dpkg-deb -x "$package" unpacked
done
mkdir bin lib
ln -s "$PWD/unpacked/usr/lib/nvidia/current/nvidia-smi" bin/
ln -s "$PWD"/unpacked/usr/lib/*/nvidia/current/libnvidia-ml.so.1 lib/
