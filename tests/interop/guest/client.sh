# shellcheck shell=sh
# A guest that imports devices from the host: the kernel's client and drivers.
# shellcheck source=tests/interop/guest/lib.sh
. /interop/lib.sh
modprobe -a vhci-hcd usbip-host cdc-acm ftdi_sio cp210x ch341 pl2303 usb-storage sd_mod usbhid hid-generic \
    evdev snd-usb-audio vfat nls_cp437 nls_iso8859-1 nls_ascii usbmon
usbipd -4 -D
until_true 60 usbipd_listens
