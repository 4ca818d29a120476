# shellcheck shell=sh
# Gadgets by configfs. Source lib.sh first. Each gadget's name is its serial number.
gadgets=/sys/kernel/config/usb_gadget

gadgets_init()
{
    modprobe libcomposite
    mount -t configfs none /sys/kernel/config
}

# gadget NAME VID PID [MAX_SPEED]
gadget()
{
    g=$gadgets/$1
    mkdir -p "$g/strings/0x409" "$g/configs/c.1/strings/0x409"
    echo "$2" >"$g/idVendor"
    echo "$3" >"$g/idProduct"
    echo 0x0123 >"$g/bcdDevice"
    echo usbwire >"$g/strings/0x409/manufacturer"
    echo "gadget $1" >"$g/strings/0x409/product"
    echo "$1" >"$g/strings/0x409/serialnumber"
    echo main >"$g/configs/c.1/strings/0x409/configuration"
    [ -z "${4:-}" ] || echo "$4" >"$g/max_speed"
}

# add NAME FUNCTION [ATTRIBUTE=VALUE...]: to configuration ${configuration:-1}
add()
{
    gadget_name=$1 function=$2
    shift 2
    mkdir "$gadgets/$gadget_name/functions/$function"
    for setting in "$@"; do
        echo "${setting#*=}" >"$gadgets/$gadget_name/functions/$function/${setting%%=*}"
    done
    ln -s "$gadgets/$gadget_name/functions/$function" \
        "$gadgets/$gadget_name/configs/c.${configuration:-1}/"
}

# plug NAME CONTROLLER
plug()
{
    echo "$2" >"$gadgets/$1/UDC" || die "gadget $1 does not bind to $2"
}

# Gadget zero. Two configurations as of g_zero, or both functions in one.
make_zero()
{
    gadget "$1" 0x0525 0xa4a0 "$2"
    add "$1" SourceSink.0 pattern=1 bulk_buflen=4096 bulk_qlen=32
    if [ "$3" = 2 ]; then
        mkdir -p "$gadgets/$1/configs/c.2/strings/0x409"
        echo loopback >"$gadgets/$1/configs/c.2/strings/0x409/configuration"
    fi
    configuration=$3 add "$1" Loopback.0 bulk_buflen=4096 qlen=32
}

# make_acm NAME WORKER SPEED
make_acm()
{
    gadget "$1" 0x0525 0xa4a7 "$3"
    add "$1" acm.0
    worker "$2" "/dev/ttyGS$(cat "$gadgets/$1/functions/acm.0/port_num")" >/dev/null 2>&1 &
}

# make_hid NAME SPEED: interface 0 echoes reports of 64 bytes, interface 1 is a mouse
make_hid()
{
    gadget "$1" 0x0525 0xa4ac "$2"
    add "$1" hid.0 protocol=0 subclass=0 report_length=64
    printf '\006\000\377\011\001\241\001\011\002\025\000\046\377\000\165\010\225\100\201\002\011\003\225\100\221\002\300' \
        >"$gadgets/$1/functions/hid.0/report_desc"
    add "$1" hid.1 protocol=2 subclass=1 report_length=4
    printf '\005\001\011\002\241\001\011\001\241\000\005\011\031\001\051\003\025\000\045\001\225\003\165\001\201\002\225\001\165\005\201\003\005\001\011\060\011\061\011\070\025\201\045\177\165\010\225\003\201\006\300\300' \
        >"$gadgets/$1/functions/hid.1/report_desc"
}

# After plugging it in.
start_hid()
{
    device=$(cat "$gadgets/$1/functions/hid.0/dev")
    worker echo "/dev/hidg${device#*:}" 64 >/dev/null 2>&1 &
    device=$(cat "$gadgets/$1/functions/hid.1/dev")
    worker mouse "/dev/hidg${device#*:}" >/dev/null 2>&1 &
}

# make_disk NAME SPEED: 16 MiB with a file system
make_disk()
{
    dd if=/dev/zero of="/tmp/$1.img" bs=1M count=0 seek=16 2>/dev/null
    mkdosfs -n INTEROP "/tmp/$1.img" >/dev/null
    gadget "$1" 0x0525 0xa4a5 "$2"
    add "$1" mass_storage.0 lun.0/removable=1 "lun.0/file=/tmp/$1.img"
}

# make_ffs NAME SPEED
make_ffs()
{
    gadget "$1" 0x1d6b 0x0105 "$2"
    add "$1" "ffs.$1"
    mkdir -p "/dev/$1"
    mount -t functionfs "$1" "/dev/$1"
    ffs "/dev/$1" >"/tmp/$1.log" 2>&1 &
    until_true 60 grep -q ready "/tmp/$1.log"
}

# make_composite NAME SPEED
make_composite()
{
    gadget "$1" 0x1d6b 0x0104 "$2"
    add "$1" acm.0
    add "$1" gser.0
    add "$1" midi.0
    add "$1" ncm.0
}
