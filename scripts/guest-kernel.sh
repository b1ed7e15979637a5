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
)

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
  say "getting $package into $made (once, some seconds)"
  (cd "$work" && apt-get download -q "$package" >&2)
  mkdir -p "$work"/packed "$work"/tree/{bin,proc,sys,dev,modules,base,over,root}
  wanted=('./boot/vmlinuz-*')
  for module in "${modules[@]}"; do wanted+=("*/$module.ko"); done
  dpkg-deb --fsys-tarfile "$work/$package"_*.deb | tar -x -C "$work/packed" --wildcards "${wanted[@]}"
  find "$work/packed/lib/modules" -name '*.ko' -exec cp -t "$work/tree/modules" {} +
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
