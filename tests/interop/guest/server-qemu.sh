# shellcheck shell=sh
# server-qemu.sh COUNT: exports QEMU's devices, of which there are COUNT.
# shellcheck source=tests/interop/guest/lib.sh
. /interop/lib.sh
modprobe -a xhci-pci ehci-pci
until_true 60 have_devices "$1"
export_all
usbipd -4 -D
until_true 60 usbipd_listens
