# shellcheck shell=sh
# Gadgets on usbip's own device controller, exported by usbipd --device. Prints "NAME BUSID" lines.
# shellcheck source=tests/interop/guest/lib.sh
. /interop/lib.sh
# shellcheck source=tests/interop/guest/gadgets.sh
. /interop/gadgets.sh
gadgets_init
modprobe usbip-vudc num=6
make_zero zero '' 2
make_acm acm echo ''
make_hid hid ''
make_disk disk ''
make_ffs ffs ''
gadget audio 0x1d6b 0x0101
add audio uac2.0
n=0
for path in "$gadgets"/*; do
    name=${path##*/}
    plug "$name" usbip-vudc.$n
    echo "$name usbip-vudc.$n"
    n=$((n + 1))
done
start_hid hid
usbipd -4 -D --device
until_true 60 usbipd_listens
