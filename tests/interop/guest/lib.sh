# shellcheck shell=sh
# In front of every script that runs in a guest.
export PATH=/interop:/bin:/sbin:/usr/bin:/usr/sbin HOME=/ TERM=dumb

die()
{
    echo "$*" >&2
    exit 1
}

# until_true SECONDS COMMAND...: waits for what tells nobody when it happens.
until_true()
{
    end=$(($(cut -d. -f1 /proc/uptime) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(cut -d. -f1 /proc/uptime)" -lt "$end" ] || die "waited in vain for: $*"
        sleep 0.05
    done
}

# The devices that hang on this machine's own host controllers, hubs left out.
own_devices()
{
    for device in /sys/bus/usb/devices/*-*; do
        [ -e "$device/idVendor" ] || continue
        [ "$(cat "$device/bDeviceClass")" != 09 ] || continue
        case "$(readlink -f "$device")" in *vhci_hcd*) ;; *) basename "$device" ;; esac
    done
}

# The devices that were imported with usbip attach.
imported_devices()
{
    for device in /sys/bus/usb/devices/*-*; do
        [ -e "$device/idVendor" ] || continue
        case "$(readlink -f "$device")" in *vhci_hcd*) basename "$device" ;; esac
    done
}

have_devices()
{
    [ "$(own_devices | wc -l)" -ge "$1" ]
}

# Binds all devices to usbip-host, so that usbipd exports them. While they have no driver, lsusb reads
# all of their descriptors.
export_all()
{
    lsusb -v >/tmp/lsusb 2>/dev/null
    modprobe usbip-host
    for device in $(own_devices); do
        usbip bind -b "$device" 2>/tmp/bind || die "usbip bind $device: $(cat /tmp/bind)"
    done
}

# usbipd says nothing when it is ready; it listens on port 3240.
usbipd_listens()
{
    grep -q ' 00000000:0CA8 00000000:0000 0A ' /proc/net/tcp
}
