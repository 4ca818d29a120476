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

configured()
{
    [ -n "$(cat "/sys/bus/usb/devices/$1/bConfigurationValue" 2>/dev/null)" ]
}

# What was not there when /tmp/before was written, and has a configuration.
new_device()
{
    for device in $(imported_devices); do
        ! grep -qx "$device" /tmp/before && configured "$device" && echo "$device" && return
    done
    return 1
}

# attach PORT BUSID: imports a device from the host and prints its name in /sys/bus/usb/devices.
attach()
{
    imported_devices >/tmp/before
    # usbip fails with this while the port it used before is still being enumerated.
    until usbip --tcp-port "$1" attach -r 10.0.2.2 -b "$2" 2>/tmp/attach; do
        grep -q 'open vhci_driver' /tmp/attach || die "$(cat /tmp/attach)"
        sleep 0.1
    done
    until_true 60 new_device
    new_device
}

# detach NAME: gives it back and waits until it is gone.
detach()
{
    port=$(awk -v name="$1" '$7 == name { print $2 + 0 }' /sys/devices/platform/vhci_hcd.*/status)
    usbip detach -p "$port" 2>/tmp/detach || die "$(cat /tmp/detach)"
    until_true 60 [ ! -e "/sys/bus/usb/devices/$1" ]
}

# node NAME PATTERN: the first file of that pattern below a device in /sys, such as ttyACM*.
node()
{
    find "/sys/bus/usb/devices/$1/" -name "$2" 2>/dev/null | head -n 1 | sed 's|.*/||'
}

has_node()
{
    [ -n "$(node "$1" "$2")" ]
}

# wait_node NAME PATTERN: the same, when it is there.
wait_node()
{
    until_true 60 has_node "$1" "$2"
    node "$1" "$2"
}

# Exports a device that was imported. usbip(8) refuses to, for fear of loops.
export_imported()
{
    echo "$1" >/sys/bus/usb/drivers/usb/unbind
    printf 'add %s' "$1" >/sys/bus/usb/drivers/usbip-host/match_busid
    echo "$1" >/sys/bus/usb/drivers/usbip-host/bind
}

# Whether no client of ours has it any more.
released()
{
    [ "$(cat "/sys/bus/usb/devices/$1/usbip_status")" = 1 ]
}
