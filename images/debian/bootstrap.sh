#!/bin/bash
# Makes a minimal Debian root file system. Runs as root in mount and process namespaces of its own: whatever is mounted or started here is gone with
# the script, also when it is killed.
#
# usage: bootstrap.sh <unpacked debootstrap package> <keyring> <suite> <mirror> <security mirror> <target> <archive cache> [package...]
set -euo pipefail
debootstrap=$1 keyring=$2 suite=$3 mirror=$4 security=$5 target=$6 cache=$7
shift 7
include=$(IFS=,; echo "$*")

DEBOOTSTRAP_DIR=$debootstrap/usr/share/debootstrap "$debootstrap/usr/sbin/debootstrap" \
  --variant=minbase --keyring="$keyring" --cache-dir="$cache" ${include:+--include="$include"} "$suite" "$target" "$mirror"

cat >"$target/etc/apt/sources.list" <<EOF
deb $mirror $suite main
deb $mirror $suite-updates main
deb $security $suite-security main
EOF
mount --bind "$cache" "$target/var/cache/apt/archives"
mount --bind /etc/resolv.conf "$target/etc/resolv.conf"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot "$target" apt-get --quiet update
chroot "$target" apt-get --quiet --yes -o Dpkg::Options::=--force-unsafe-io dist-upgrade
umount "$target/var/cache/apt/archives" "$target/etc/resolv.conf"

# What identifies the build machine or only serves people who read manuals does not belong in an image. Copyright files stay.
: >"$target/etc/resolv.conf"
: >"$target/etc/machine-id"
chmod 0644 "$target/etc/resolv.conf"
rm -f "$target/etc/hostname" "$target"/etc/{passwd,group,shadow,gshadow}- "$target"/var/cache/debconf/*-old
find "$target/usr/share/doc" -type f ! -name copyright -delete
find "$target/usr/share/doc" -type d -empty -delete
rm -rf "$target"/usr/share/{man,info,lintian,linda}/* "$target"/var/lib/apt/lists/* "$target"/var/log/* "$target"/var/cache/apt/*.bin
rm -f "$target"/var/cache/apt/archives/*.deb
find "$target/usr/share/locale" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
