#!/bin/bash
# Adds packages and files to a Debian root file system as one overlay layer, without changing the layers below. Runs as root in mount and process
# namespaces of its own: whatever is mounted or started here is gone with the script, also when it is killed.
#
# usage: add-packages.sh <lower directories, top first, colon separated> <upper> <scratch folder> <apt cache> <users file> <files> <setup script> [package...]
#   users file: lines of "name uid gid home shell"; files: a tree laid over the root before the packages are installed, so that a package
#   finds its configuration in place; setup script: run inside the root at the end, may be empty.
set -euo pipefail
lower=$1 upper=$2 scratch=$3 cache=$4 users=$5 files=$6 setup=$7
shift 7

mkdir -p "$upper" "$scratch/work" "$scratch/root" "$cache/archives/partial" "$cache/lists/partial"
root=$scratch/root
mount -t overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$scratch/work" overlay "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
mount --bind "$cache/archives" "$root/var/cache/apt/archives"
mount --bind "$cache/lists" "$root/var/lib/apt/lists"

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
while read -r name uid gid home shell; do
  chroot "$root" getent group "$gid" >/dev/null || chroot "$root" groupadd --system --gid "$gid" "$name"
  chroot "$root" useradd --system --uid "$uid" --gid "$gid" --home-dir "$home" --no-create-home --shell "$shell" "$name"
done <"$users"
cp -a "$files/." "$root/"

if (($# > 0)); then
  # No daemon may start while packages are configured.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 0755 "$root/usr/sbin/policy-rc.d"
  chroot "$root" apt-get --quiet update
  chroot "$root" apt-get --quiet --yes -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Options::=--force-confold \
    -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
  rm -f "$root/usr/sbin/policy-rc.d"
fi
if [[ -s $setup ]]; then chroot "$root" /bin/bash -euo pipefail -s <"$setup"; fi

umount "$root/var/lib/apt/lists" "$root/var/cache/apt/archives" "$root/etc/resolv.conf" "$root/tmp" "$root/proc" "$root"

rm -rf "$upper"/var/log/* "$upper"/var/cache/apt/*.bin "$upper"/var/cache/ldconfig "$upper"/var/cache/debconf/*-old "$upper"/usr/share/{man,info,lintian,linda}
rm -f "$upper"/etc/{passwd,group,shadow,gshadow,subuid,subgid}- "$upper/etc/.pwd.lock"
if [[ -d $upper/usr/share/doc ]]; then
  find "$upper/usr/share/doc" -type f ! -name copyright -delete
  find "$upper/usr/share/doc" -type d -empty -delete
fi
# Whiteouts mean nothing in the archive this becomes: a file a lower layer has cannot be removed this way.
find "$upper" -type c -delete
