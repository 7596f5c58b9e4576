#!/usr/bin/env bash
# Boots Debian's stock kernel under QEMU, which has ESP and PPP where this machine's
# kernel may not, with this machine's root read-only below a file system in memory,
# and runs a script in it.
#
#   boot.sh CACHE DIR     CACHE keeps the kernel between runs; DIR/guest.sh is run
set -euo pipefail
cache=$1 dir=$2
export PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$cache"

missing=()
for pair in qemu-system-x86_64=qemu-system-x86 cpio=cpio modprobe=kmod xl2tpd=xl2tpd pppd=ppp swanctl=strongswan-swanctl nft=nftables ip=iproute2 ping=iputils-ping busybox=busybox-static; do
	command -v "${pair%=*}" >/dev/null || missing+=("${pair#*=}")
done
[ -x /usr/sbin/charon-systemd ] || missing+=(charon-systemd libstrongswan-standard-plugins libstrongswan-extra-plugins)
if [ ${#missing[@]} -gt 0 ]; then
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ ! -d "$cache/kernel" ]; then
	# the "cloud" kernel has no PPP
	package=$(apt-cache depends linux-image-amd64 | awk '/Depends:/{print $2; exit}')
	(cd "$cache" && apt-get download -qq "$package" >/dev/null && dpkg-deb -x "$package"_*.deb unpacked && rm -f "$package"_*.deb)
	depmod -b "$cache/unpacked" "$(ls "$cache/unpacked/lib/modules")"
	mv "$cache/unpacked" "$cache/kernel"
fi

release=$(ls "$cache/kernel/lib/modules")
ram=$dir/ram
rm -rf "$ram"
mkdir -p "$ram"/{bin,proc,sys,dev,lower,up,new,modules}
cp "$(command -v busybox)" "$ram/bin/"
number=10
for module in virtio_pci 9pnet_virtio 9p overlay virtio_rng; do
	modprobe -d "$cache/kernel" -S "$release" --show-depends $module
done | awk '/^insmod/ && !seen[$2]++ {print $2}' | while read -r file; do
	cp "$file" "$ram/modules/$number-$(basename "$file")"
	number=$((number + 1))
done
cat >"$ram/init" <<INIT
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc; \$b mount -t sysfs sys /sys; \$b mount -t devtmpfs dev /dev
for m in /modules/*; do \$b insmod \$m; done
\$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose host /lower
\$b mount -t tmpfs up /up; \$b mkdir -p /up/upper /up/work
\$b mount -t overlay -o lowerdir=/lower,upperdir=/up/upper,workdir=/up/work root /new
for m in proc sys dev; do \$b mount --move /\$m /new/\$m; done
\$b mount -t tmpfs run /new/run; \$b mkdir -p /new/run/netns /new/usr/lib/modules
\$b mount -o bind /new$cache/kernel/lib/modules /new/usr/lib/modules
echo GUEST-BEGIN
exec \$b switch_root /new /bin/bash -c '$dir/guest.sh $dir; echo GUEST-END; /bin/busybox poweroff -f'
INIT
chmod +x "$ram/init" "$dir/guest.sh"
(cd "$ram" && find . | cpio -o -H newc 2>/dev/null | gzip -1 >"$dir/ram.gz")

# no_timer_check: on a machine with other work the emulated timer may come too late for
# the kernel's liking
accel=tcg,thread=multi cpu=max
exec qemu-system-x86_64 -accel $accel -cpu $cpu -m 1024 -smp 2 -nographic -no-reboot -nic none \
	-device virtio-rng-pci -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	-kernel "$cache"/kernel/boot/vmlinuz-* -initrd "$dir/ram.gz" -append "console=ttyS0 panic=-1 quiet no_timer_check" </dev/null
