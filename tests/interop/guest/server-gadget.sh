# shellcheck shell=sh
# Gadgets on the kernel's dummy host controller, exported by usbip-host. Prints "NAME BUSID" lines.
# shellcheck source=tests/interop/guest/lib.sh
. /interop/lib.sh
# shellcheck source=tests/interop/guest/gadgets.sh
. /interop/gadgets.sh
gadgets_init
modprobe dummy_hcd num=9 is_super_speed=1
make_zero zero-high high-speed 2
make_zero zero-super super-speed 1
make_zero zero-full full-speed 1
make_acm acm echo high-speed
make_acm acm-count count high-speed
make_hid hid high-speed
make_disk disk high-speed
make_ffs ffs high-speed
make_composite composite high-speed
n=0
for path in "$gadgets"/*; do
    name=${path##*/}
    plug "$name" dummy_udc.$n
    n=$((n + 1))
done
start_hid hid
until_true 60 have_devices $n
export_all
for device in $(own_devices); do
    echo "$(cat "/sys/bus/usb/devices/$device/serial") $device"
done
usbipd -4 -D
until_true 60 usbipd_listens
