/*
 * transfers.c - open, close, and synchronous transfers
 */
#include <errno.h>
#include <string.h>

#include "compat.h"

#define DESCRIPTOR_TIMEOUT_MS 1000

static int last_errno;

static const struct {
    int code, errnum;
} errors[] = {
    {LIBUSB_ERROR_IO, EIO},
    {LIBUSB_ERROR_INVALID_PARAM, EINVAL},
    {LIBUSB_ERROR_ACCESS, EACCES},
    {LIBUSB_ERROR_NO_DEVICE, ENODEV},
    {LIBUSB_ERROR_NOT_FOUND, ENOENT},
    {LIBUSB_ERROR_BUSY, EBUSY},
    {LIBUSB_ERROR_TIMEOUT, ETIMEDOUT},
    {LIBUSB_ERROR_OVERFLOW, EOVERFLOW},
    {LIBUSB_ERROR_PIPE, EPIPE},
    {LIBUSB_ERROR_INTERRUPTED, EINTR},
    {LIBUSB_ERROR_NO_MEM, ENOMEM},
    {LIBUSB_ERROR_NOT_SUPPORTED, ENOSYS},
};

int
compat_result(int r)
{
    if (r >= 0)
        return r;
    last_errno = EIO;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (errors[i].code == r)
            last_errno = errors[i].errnum;
    errno = last_errno;
    return -last_errno;
}

char *
usb_strerror(void)
{
    return strerror(last_errno);
}

usb_dev_handle *
usb_open(struct usb_device *device)
{
    usb_dev_handle *h = compat_is_listed(device) ? calloc(1, sizeof(*h)) : NULL;

    if (!h) {
        (void)compat_result(LIBUSB_ERROR_NO_DEVICE);
        return NULL;
    }
    if (compat_result(libusb_open((libusb_device *)device->dev, &h->handle)) < 0) {
        free(h);
        return NULL;
    }
    h->device = device;
    h->interface = -1;
    return h;
}

int
usb_close(usb_dev_handle *h)
{
    libusb_close(h->handle);
    free(h);
    return 0;
}

struct usb_device *
usb_device(usb_dev_handle *h)
{
    return h->device;
}

/* ---- what is in force ---- */

int
usb_set_configuration(usb_dev_handle *h, int configuration)
{
    return compat_result(libusb_set_configuration(h->handle, configuration ? configuration : -1));
}

int
usb_claim_interface(usb_dev_handle *h, int interface)
{
    int r = compat_result(libusb_claim_interface(h->handle, interface));

    if (r == 0)
        h->interface = interface;
    return r;
}

int
usb_release_interface(usb_dev_handle *h, int interface)
{
    int r = compat_result(libusb_release_interface(h->handle, interface));

    if (r == 0)
        h->interface = -1;
    return r;
}

int
usb_set_altinterface(usb_dev_handle *h, int alternate)
{
    if (h->interface < 0)
        return compat_result(LIBUSB_ERROR_INVALID_PARAM);
    return compat_result(libusb_set_interface_alt_setting(h->handle, h->interface, alternate));
}

int
usb_clear_halt(usb_dev_handle *h, unsigned int ep)
{
    return compat_result(libusb_clear_halt(h->handle, (unsigned char)ep));
}

int
usb_resetep(usb_dev_handle *h, unsigned int ep)
{
    return usb_clear_halt(h, ep);
}

int
usb_reset(usb_dev_handle *h)
{
    return compat_result(libusb_reset_device(h->handle));
}

/* ---- kernel drivers, of which there are none here ---- */

int
usb_get_driver_np(usb_dev_handle *h, int interface, char *name, unsigned int namelen)
{
    (void)h;
    (void)interface;
    if (namelen)
        name[0] = '\0';
    last_errno = ENODATA;
    return -ENODATA;
}

int
usb_detach_kernel_driver_np(usb_dev_handle *h, int interface)
{
    return compat_result(libusb_detach_kernel_driver(h->handle, interface));
}

/* ---- transfers ---- */

static unsigned
timeout_of(int timeout)
{
    return timeout > 0 ? (unsigned)timeout : 0;
}

/* The direction is the function's, whatever the endpoint's number says. */
static int
move(usb_dev_handle *h, int ep, unsigned char *bytes, int size, int timeout)
{
    int moved = 0;
    int r = libusb_bulk_transfer(h->handle, (unsigned char)ep, bytes, size, &moved,
                                 timeout_of(timeout));

    /* What came before the time was over counts. */
    if (r == 0 || (r == LIBUSB_ERROR_TIMEOUT && moved > 0))
        return moved;
    return compat_result(r);
}

static unsigned char *
out_bytes(const char *bytes)
{
    return (unsigned char *)(uintptr_t)bytes; /* an OUT transfer reads only */
}

int
usb_bulk_write(usb_dev_handle *h, int ep, const char *bytes, int size, int timeout)
{
    return move(h, ep & ~USB_ENDPOINT_IN, out_bytes(bytes), size, timeout);
}

int
usb_bulk_read(usb_dev_handle *h, int ep, char *bytes, int size, int timeout)
{
    return move(h, ep | USB_ENDPOINT_IN, (unsigned char *)bytes, size, timeout);
}

int
usb_interrupt_write(usb_dev_handle *h, int ep, const char *bytes, int size, int timeout)
{
    return usb_bulk_write(h, ep, bytes, size, timeout);
}

int
usb_interrupt_read(usb_dev_handle *h, int ep, char *bytes, int size, int timeout)
{
    return usb_bulk_read(h, ep, bytes, size, timeout);
}

int
usb_control_msg(usb_dev_handle *h, int requesttype, int request, int value, int index, char *bytes,
                int size, int timeout)
{
    return compat_result(libusb_control_transfer(
        h->handle, (uint8_t)requesttype, (uint8_t)request, (uint16_t)value, (uint16_t)index,
        (unsigned char *)bytes, (uint16_t)size, timeout_of(timeout)));
}

/* ---- descriptors ---- */

int
usb_get_descriptor_by_endpoint(usb_dev_handle *h, int ep, unsigned char type, unsigned char index,
                               void *buf, int size)
{
    memset(buf, 0, (size_t)size);
    return usb_control_msg(h, ep | USB_ENDPOINT_IN, USB_REQ_GET_DESCRIPTOR, (type << 8) + index, 0,
                           buf, size, DESCRIPTOR_TIMEOUT_MS);
}

int
usb_get_descriptor(usb_dev_handle *h, unsigned char type, unsigned char index, void *buf, int size)
{
    return usb_get_descriptor_by_endpoint(h, 0, type, index, buf, size);
}

int
usb_get_string(usb_dev_handle *h, int index, int langid, char *buf, size_t buflen)
{
    return usb_control_msg(h, USB_ENDPOINT_IN, USB_REQ_GET_DESCRIPTOR, (USB_DT_STRING << 8) + index,
                           langid, buf, (int)buflen, DESCRIPTOR_TIMEOUT_MS);
}

int
usb_get_string_simple(usb_dev_handle *h, int index, char *buf, size_t buflen)
{
    return compat_result(libusb_get_string_descriptor_ascii(h->handle, (uint8_t)index,
                                                            (unsigned char *)buf, (int)buflen));
}
