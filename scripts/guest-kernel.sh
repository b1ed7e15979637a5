#!/usr/bin/env bash
# Setup: a kernel of Debian's for the tests that need devices which containers and clouds do not have, and prints the folder with its
# vmlinuz and initramfs. It is booted in a virtual machine whose root is this machine's own, and nothing of it is installed here.
#
# Both are kept outside of the tree, named by what they are made from: they are made once, and again only when this file has changed.
set -euo pipefail

say() { printf 'guest-kernel: %s\n' "$*" >&2; }
fail() {
  say "$@"
  exit 1
}

# In the order in which they need one another: the bus, the root's file systems, the network, and what the tests are about.
modules=(
  virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
  netfs fscache 9pnet 9pnet_virtio 9p overlay
  failover net_failover virtio_net
  evdev joydev uinput
  mc videodev
)
# What Debian has as source only, and what it is told.
loopback='exclusive_caps=1,0 devices=2 video_nr=41,42 card_label=Webcam,Other'

# The root is this machine's own, read only, and what is written goes into memory.
init() {
  cat <<INIT
#!/bin/busybox sh
set -e
b=/bin/busybox
trap '\$b echo "guest: the start has failed"; \$b poweroff -f' EXIT
\$b mount -t proc proc /proc
\$b mount -t sysfs sys /sys
\$b mount -t devtmpfs dev /dev
for module in ${modules[*]}; do \$b insmod /modules/\$module.ko; done
\$b insmod /modules/v4l2loopback.ko $loopback
\$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 root /base
\$b mount -t tmpfs over /over
\$b mkdir /over/upper /over/work
\$b mount -t overlay -o lowerdir=/base,upperdir=/over/upper,workdir=/over/work overlay /root
for mount in proc sys dev; do \$b mount --move /\$mount /root/\$mount; done
\$b mkdir -p /root/dev/shm /root/dev/pts /root/tmp/.X11-unix
\$b mount -t tmpfs shm /root/dev/shm
\$b mount -t devpts pts /root/dev/pts
\$b mount -t tmpfs run /root/run
\$b mount -t tmpfs -o mode=1777 x11 /root/tmp/.X11-unix
trap - EXIT
exec \$b chroot /root /bin/bash "\$VDI_GUEST"
INIT
}

# Makes v4l2loopback for this kernel, from the packages in a folder, with the compiler that the kernel was made with.
loopback() (
  cd "$1"
  for package in *.deb; do dpkg-deb -x "$package" tree; done
  headers=$(echo tree/usr/src/linux-headers-*-amd64)
  source=$(echo tree/usr/src/v4l2loopback-*)
  # The package's Makefile leads to where it would be installed.
  sed -i "s|/usr/src/|$PWD/tree/usr/src/|" "$headers/Makefile"
  make -s -C "$headers" M="$PWD/$source" modules >making.log 2>&1 || fail "v4l2loopback cannot be made: $(tail -n 5 making.log)"
  cp "$source/v4l2loopback.ko" "$2"
  # Names for people who debug the kernel are most of it.
  strip --strip-debug "$2/v4l2loopback.ko"
)

[[ $(dpkg --print-architecture) == amd64 ]] || fail "known is Debian's kernel for amd64 alone, and this is $(dpkg --print-architecture)"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-vdi/guest-kernel
made=$cache/$(sha256sum "${BASH_SOURCE[0]}" | cut -c 1-16)
if [[ ! -f $made/vmlinuz ]]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/making.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  # The flavour for clouds has no uinput.
  package=$(apt-cache depends --important linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*-amd64\)$/\1/p')
  [[ -n $package ]] || fail "apt knows no linux-image-amd64; \`apt-get update\` may help"
  release=${package#linux-image-}
  for program in make gcc-12 strip; do command -v "$program" >/dev/null || fail "$program is missing, by which v4l2loopback is made for the kernel"; done
  kbuild=$(apt-cache depends --important "linux-headers-$release" | sed -n 's/^ *Depends: \(linux-kbuild-.*\)$/\1/p')
  [[ -n $kbuild ]] || fail "apt knows no linux-headers-$release; \`apt-get update\` may help"
  say "getting $package into $made, and making v4l2loopback for it (once, some seconds)"
  mkdir -p "$work/loopback"
  (cd "$work" && apt-get download -q "$package" >&2)
  (cd "$work/loopback" && apt-get download -q "linux-headers-$release" "linux-headers-${release%-amd64}-common" "$kbuild" v4l2loopback-dkms >&2)
  mkdir -p "$work"/packed "$work"/tree/{bin,proc,sys,dev,modules,base,over,root}
  wanted=('./boot/vmlinuz-*')
  for module in "${modules[@]}"; do wanted+=("*/$module.ko"); done
  dpkg-deb --fsys-tarfile "$work/$package"_*.deb | tar -x -C "$work/packed" --wildcards "${wanted[@]}"
  find "$work/packed/lib/modules" -name '*.ko' -exec cp -t "$work/tree/modules" {} +
  loopback "$work/loopback" "$work/tree/modules"
  # That of the package busybox-static: another may need libraries.
  cp /bin/busybox "$work/tree/bin/busybox"
  init >"$work/tree/init"
  chmod 755 "$work/tree/init"
  mkdir -p "$made"
  (cd "$work/tree" && find . | /bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$made/initramfs"
  # Last, since it says that all is there.
  mv "$work"/packed/boot/vmlinuz-* "$made/vmlinuz"
fi
printf '%s\n' "$made"
