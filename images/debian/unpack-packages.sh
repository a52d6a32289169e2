#!/bin/bash
# Unpacks Debian packages into a folder, without their dependencies and without running anything of theirs: for images that need a few programs and
# libraries and no distribution around them.
#
# usage: unpack-packages.sh <Debian root to ask for the packages> <apt cache> <target> <package...>
set -euo pipefail
root=$1 cache=$2 target=$3
shift 3
mkdir -p "$cache/archives/partial" "$cache/lists/partial"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
mount --bind "$cache/archives" "$root/var/cache/apt/archives"
mount --bind "$cache/lists" "$root/var/lib/apt/lists"
chroot "$root" apt-get --quiet update
# Inside: the packages must fit that suite, not the build machine's.
chroot "$root" /bin/sh -c 'mkdir /tmp/d && cd /tmp/d && apt-get --quiet -o APT::Sandbox::User=root download "$@"' - "$@"
# Debian's directories are merged under /usr, which packages do not all know yet.
mkdir -p "$target"/usr/{bin,sbin,lib,lib64}
for name in bin sbin lib lib64; do ln -sfn "usr/$name" "$target/$name"; done
for archive in "$root"/tmp/d/*.deb; do
  dpkg-deb --fsys-tarfile "$archive" | tar --extract --keep-directory-symlink --directory "$target"
done
umount "$root/var/lib/apt/lists" "$root/var/cache/apt/archives" "$root/etc/resolv.conf" "$root/tmp"
rm -rf "$target"/usr/share/{man,info,lintian,bash-completion,locale}
find "$target/usr/share/doc" -type f ! -name copyright -delete
find "$target/usr/share/doc" -type d -empty -delete
