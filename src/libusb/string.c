/*
 * string.c - string descriptors
 */
#include <stdlib.h>
#include <string.h>

#include "libusb/context.h"
#include "libusb/device.h"
#include "libusb/handle.h"

#define STRING_MS 2000u

/* ---- through a handle: two requests, ASCII ---- */

static int
is_string(const uint8_t *bytes, int size)
{
    return size >= 2 && bytes[1] == LIBUSB_DT_STRING && bytes[0] <= size && !(bytes[0] & 1);
}

int LIBUSB_CALL
libusb_get_string_descriptor_ascii(libusb_device_handle *h, uint8_t desc_index, unsigned char *data,
                                   int length)
{
    uint8_t bytes[255];
    uint16_t language;
    int r, n = 0;

    if (desc_index == 0 || !data || length <= 0)
        return LIBUSB_ERROR_INVALID_PARAM;
    /* Some devices answer nothing but this length. */
    r = libusb_get_string_descriptor(h, 0, 0, bytes, 4);
    if (r < 0)
        return r;
    if (r != 4 || bytes[0] < 4 || bytes[1] != LIBUSB_DT_STRING)
        return LIBUSB_ERROR_IO;
    language = (uint16_t)(bytes[2] | bytes[3] << 8);
    r = libusb_get_string_descriptor(h, desc_index, language, bytes, sizeof(bytes));
    if (r < 0)
        return r;
    if (!is_string(bytes, r))
        return LIBUSB_ERROR_IO;
    for (int i = 2; i + 1 < bytes[0] && n < length - 1; i += 2)
        data[n++] = bytes[i + 1] || (bytes[i] & 0x80) ? '?' : bytes[i];
    data[n] = '\0';
    return n;
}

/* ---- without one: read when first asked for, in UTF-8 ---- */

/* How much of a text fits, in whole characters. */
static size_t
whole_characters(const char *text, size_t room)
{
    size_t n = strlen(text);

    if (n <= room)
        return n;
    while (room && ((unsigned char)text[room] & 0xc0) == 0x80)
        room--;
    return room;
}

/* Returns the size with the NUL; `data` NULL asks for it. */
static int
copy_text(const char *text, char *data, int length)
{
    size_t n;

    if (!data)
        return (int)strlen(text) + 1;
    n = whole_characters(text, (size_t)length - 1);
    memcpy(data, text, n);
    data[n] = '\0';
    return (int)n + 1;
}

/* A string of the device; imports it for that where nobody has. */
static int
read_text(struct remote *remote, uint8_t index, char *text, size_t size)
{
    struct uw_device *device;
    struct uw_fault fault;
    int r;

    if (!index)
        return LIBUSB_ERROR_NOT_FOUND;
    r = remote_open(remote, &device, &fault);
    if (r < 0)
        return uw_error_libusb(r);
    r = uw_device_string(device, index, 0, text, size, uw_msec(STRING_MS), NULL);
    remote_close(remote);
    return r == UW_ERROR_PROTOCOL ? LIBUSB_ERROR_IO : r < 0 ? uw_error_libusb(r) : 0;
}

static int
get_text(struct remote *remote, uint8_t index, char *data, int length)
{
    char text[REMOTE_TEXT_MAX];
    int r;

    if (length <= 0)
        return LIBUSB_ERROR_INVALID_PARAM;
    if (data)
        *data = '\0';
    r = read_text(remote, index, text, sizeof(text));
    return r < 0 ? r : copy_text(text, data, length);
}

static uint8_t
index_of(const struct remote *r, enum libusb_device_string_type type)
{
    const uint8_t indices[] = {r->descriptor.iManufacturer, r->descriptor.iProduct,
                               r->descriptor.iSerialNumber};

    return indices[type];
}

/* The kept text of a device; reads it when it is not there yet. */
static int
keep_text(struct remote *remote, unsigned type, const char **ret_text)
{
    char text[REMOTE_TEXT_MAX], *copy;
    int r = 0;

    world_lock();
    *ret_text = remote->strings[type];
    world_unlock();
    if (*ret_text)
        return 0;
    r = read_text(remote, index_of(remote, (enum libusb_device_string_type)type), text,
                  sizeof(text));
    if (r < 0)
        return r;
    copy = strdup(text);
    if (!copy)
        return LIBUSB_ERROR_NO_MEM;
    world_lock();
    if (!remote->strings[type]) {
        remote->strings[type] = copy;
        copy = NULL;
    }
    *ret_text = remote->strings[type];
    world_unlock();
    free(copy);
    return 0;
}

int LIBUSB_CALL
libusb_get_device_string(libusb_device *dev, enum libusb_device_string_type string_type, char *data,
                         int length)
{
    const char *text;
    int r;

    if (!dev || (unsigned)string_type >= LIBUSB_DEVICE_STRING_COUNT || length <= 0)
        return LIBUSB_ERROR_INVALID_PARAM;
    if (data)
        *data = '\0';
    r = keep_text(dev->remote, string_type, &text);
    return r < 0 ? r : copy_text(text, data, length);
}

static int
get_config(libusb_device *dev, uint8_t config_value, struct libusb_config_descriptor **ret_config)
{
    if (config_value == 0)
        return libusb_get_active_config_descriptor(dev, ret_config);
    return libusb_get_config_descriptor_by_value(dev, config_value, ret_config);
}

int LIBUSB_CALL
libusb_get_config_string(libusb_device *dev, uint8_t config_value, char *data, int length)
{
    struct libusb_config_descriptor *c;
    uint8_t index;
    int r;

    if (!dev)
        return LIBUSB_ERROR_INVALID_PARAM;
    r = get_config(dev, config_value, &c);
    if (r < 0)
        return r;
    index = c->iConfiguration;
    libusb_free_config_descriptor(c);
    return get_text(dev->remote, index, data, length);
}

static int
find_interface_string(const struct libusb_config_descriptor *c, uint8_t number, uint8_t altsetting)
{
    for (int i = 0; i < c->bNumInterfaces; i++)
        for (int j = 0; j < c->interface[i].num_altsetting; j++) {
            const struct libusb_interface_descriptor *a = &c->interface[i].altsetting[j];

            if (a->bInterfaceNumber == number && a->bAlternateSetting == altsetting)
                return a->iInterface;
        }
    return LIBUSB_ERROR_NOT_FOUND;
}

int LIBUSB_CALL
libusb_get_interface_string(libusb_device *dev, uint8_t config_value, uint8_t interface_number,
                            uint8_t alt_setting, char *data, int length)
{
    struct libusb_config_descriptor *c;
    int r;

    if (!dev)
        return LIBUSB_ERROR_INVALID_PARAM;
    r = get_config(dev, config_value, &c);
    if (r < 0)
        return r;
    r = find_interface_string(c, interface_number, alt_setting);
    libusb_free_config_descriptor(c);
    return r < 0 ? r : get_text(dev->remote, (uint8_t)r, data, length);
}
