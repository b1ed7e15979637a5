#!/usr/bin/env bash
# Setup: a kernel of Debian's for the tests that need devices which containers and clouds do not have: it is booted in a virtual
# machine, with this machine's own files as its root. Nothing of it is installed here.
#
#   scripts/guest-kernel.sh    makes vmlinuz and initramfs, once, and prints the folder in which they are
set -euo pipefail

[[ $(dpkg --print-architecture) == amd64 ]] || { echo "guest-kernel: known is Debian's kernel for amd64 alone, and this is $(dpkg --print-architecture)" >&2; exit 1; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-vdi/guest-kernel
# What is made of the same recipe is the same.
recipe=$(sha256sum "${BASH_SOURCE[0]}" | cut -c 1-16)
made=$cache/$recipe
[[ ! -f $made/initramfs || ! -f $made/vmlinuz ]] || { printf '%s\n' "$made"; exit 0; }

# In the order in which they need one another: the bus, the root's file system, the network, and what the tests are about.
modules=(
  virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
  netfs fscache 9pnet 9pnet_virtio 9p overlay
  failover net_failover virtio_net
  evdev joydev uinput
)

mkdir -p "$cache"
work=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
# The flavour for clouds has no uinput.
package=$(apt-cache depends --important linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*-amd64\)$/\1/p' | head -n 1)
[[ -n $package ]] || { echo "guest-kernel: apt knows no linux-image-amd64; \`apt-get update\` may help" >&2; exit 1; }
apt-get download -q "$package" >&2
mkdir -p tree/{bin,proc,sys,dev,modules,base,over,root} packed
files=()
for module in "${modules[@]}"; do files+=("*/$module.ko"); done
dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x -C packed --wildcards './boot/vmlinuz-*' "${files[@]}"
for module in "${modules[@]}"; do
  find packed/lib/modules -name "$module.ko" -exec cp {} tree/modules/ \;
  [[ -f tree/modules/$module.ko ]] || { echo "guest-kernel: $package has no module $module" >&2; exit 1; }
done
cp "$(command -v busybox)" tree/bin/busybox
cat >tree/init <<INIT
#!/bin/busybox sh
# The root is this machine's own, read only, and what is written goes into memory.
set -e
trap '/bin/busybox echo "guest: the start has failed"; /bin/busybox poweroff -f' EXIT
b=/bin/busybox
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
chmod 755 tree/init
(cd tree && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initramfs
mkdir -p "$made"
cp packed/boot/vmlinuz-* "$made/vmlinuz"
mv initramfs "$made/initramfs"
printf '%s\n' "$made"
