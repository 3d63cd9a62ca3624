# The second guest, read by rig: Debian's own kernel, emulated by QEMU without KVM. Both are unpacked
# into $qemu, not installed, at the versions of this machine's Debian release.
qemu=$cache/qemu

fetch_qemu() {                 # in $cache/debs. A package that is installed here is used as it is
  local image dir
  apt_get --no-install-recommends --download-only install qemu-system-x86
  apt_get download busybox-static xz-utils linux-image-amd64
  image=$(dpkg-deb -f linux-image-amd64_*.deb Depends)
  apt_get download "${image%% *}"
  rm -rf "$qemu" && mkdir -p "$qemu/usr/"{bin,sbin,lib,lib64} || die "no $qemu"
  for dir in bin sbin lib lib64; do ln -sfn usr/$dir "$qemu/$dir"; done
  unpack_all "$qemu"
  plain_kernel
  initrd
}
# The kernel unpacked: to unpack it in emulation is half the time of a boot.
plain_kernel() {
  local at
  at=$(LC_ALL=C grep -obUaP -m1 '\xfd7zXZ\x00' "$qemu"/boot/vmlinuz-* | head -1 | cut -d: -f1)
  tail -c +$((at + 1)) "$qemu"/boot/vmlinuz-* | LD_LIBRARY_PATH=$qemu/lib/x86_64-linux-gnu "$qemu/bin/xz" -dc --single-stream > "$qemu/kernel"
  [ "$(head -c 4 "$qemu/kernel")" = $'\x7fELF' ] || die "no kernel in $(echo "$qemu"/boot/vmlinuz-*)"
}
# Just enough to mount this machine's root through 9p, read-only, and go on with guest-init.
initrd() {
  local tree=$qemu/tree module kernel
  kernel=$(cd "$qemu/lib/modules" && echo *)
  rm -rf "$tree" && mkdir -p "$tree/"{bin,modules,proc,root} && cp "$qemu/bin/busybox" "$tree/bin/" || die "no $tree"
  kmod depmod -b "$qemu" "$kernel" || die "cannot list the modules of $kernel"
  { echo '#!/bin/busybox sh'
    for module in 9p 9pnet_virtio virtio_pci virtio_console virtio_rng; do
      kmod modprobe -d "$qemu" -S "$kernel" --show-depends $module | sed -n 's/^insmod //p'
    done | awk '!met[$1]++ {print $1}' | while read -r module; do
      cp "$module" "$tree/modules/" && echo "/bin/busybox insmod /modules/${module##*/}"; done
    echo '/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro root /root'
    echo '/bin/busybox mount -t devtmpfs dev /root/dev'   # perl, for one, opens /dev/null
    echo 'exec /bin/busybox switch_root /root /bin/bash $rig_here/guest-init'; } > "$tree/init"
  chmod +x "$tree/init"
  (cd "$tree" && find . | bin/busybox cpio -o -H newc 2> /dev/null) > "$qemu/initrd" || die "no initrd"
  rm -rf "$tree"
}
kmod() {                       # depmod|modprobe ARGUMENTS. kmod goes by its name, and the links to it are absolute
  ( LD_LIBRARY_PATH=$pkgs/usr/lib/x86_64-linux-gnu exec -a "$1" "$(type -P kmod || echo "$pkgs/bin/kmod")" "${@:2}" )
}
run_qemu() {                   # ROOT. The fds by number: QEMU takes none below 3
  local n=0 dir shares=() fs=local,security_model=none
  while read -r dir; do n=$((n+1)); [ -z "$dir" ] || shares+=(-virtfs "$fs,path=$dir,mount_tag=out$n"); done < "$rig_state/shared/outs"
  PATH=$qemu/usr/bin:$PATH LD_LIBRARY_PATH=$qemu/usr/lib/x86_64-linux-gnu QEMU_MODULE_DIR=$qemu/usr/lib/x86_64-linux-gnu/qemu \
  $clock qemu-system-x86_64 -L "$qemu/usr/share/qemu" -L "$qemu/usr/share/seabios" \
    -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m "$rig_mem" -nodefaults -display none -no-reboot \
    -kernel "$qemu/kernel" -initrd "$qemu/initrd" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off rodata=off apparmor=0 cryptomgr.notests=1 random.trust_cpu=on rig_kernel=qemu rig_state=$rig_state rig_here=$rig_here rig_cache=$rig_cache" \
    -device virtio-rng-pci -device virtio-serial-pci \
    -add-fd fd=4,set=4 -add-fd fd=5,set=5 -add-fd fd=6,set=6 \
    -chardev file,id=log,append=on,path=/dev/fdset/4 -serial chardev:log \
    -chardev file,id=out,append=on,path=/dev/fdset/5 -device virtserialport,chardev=out,name=rig.out \
    -chardev file,id=err,append=on,path=/dev/fdset/6 -device virtserialport,chardev=err,name=rig.err \
    -virtfs "$fs,path=$1,mount_tag=root,readonly=on,multidevs=remap" \
    -virtfs "$fs,path=$pkgs,mount_tag=pkgs,readonly=on" \
    -virtfs "$fs,path=$rig_state/shared,mount_tag=shared" "${shares[@]}"
}
