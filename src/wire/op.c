/*
 * op.c - messages of the two requests before URBs
 */
#include <stdlib.h>

#include <usbwire/error.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "wire/cmd.h"
#include "wire/op.h"

#define PATH_SIZE 256u
#define SPEED_MAX 6u /* USB_SPEED_SUPER_PLUS */

size_t
uw_encode_op(uint8_t bytes[UW_OP_HEADER_SIZE], const struct uw_op *op)
{
    struct uw_writer w = uw_writer(bytes, UW_OP_HEADER_SIZE);

    uw_wr_be16(&w, op->version);
    uw_wr_be16(&w, op->code);
    uw_wr_be32(&w, op->status);
    return w.len;
}

void
uw_decode_op(const uint8_t bytes[UW_OP_HEADER_SIZE], struct uw_op *ret_op)
{
    struct uw_reader r = uw_reader(bytes, UW_OP_HEADER_SIZE);

    ret_op->version = uw_rd_be16(&r);
    ret_op->code = uw_rd_be16(&r);
    ret_op->status = uw_rd_be32(&r);
}

size_t
uw_encode_import_request(uint8_t bytes[UW_OP_HEADER_SIZE + UW_OP_BUSID_SIZE], const char *busid)
{
    struct uw_op op = {UW_VERSION_111, UW_OP_REQ_IMPORT, 0};
    struct uw_writer w = uw_writer(bytes + UW_OP_HEADER_SIZE, UW_OP_BUSID_SIZE);

    uw_encode_op(bytes, &op);
    uw_wr_string(&w, busid, UW_OP_BUSID_SIZE);
    return UW_OP_HEADER_SIZE + UW_OP_BUSID_SIZE;
}

size_t
uw_encode_device(uint8_t bytes[UW_OP_DEVICE_SIZE], const struct uw_device_info *info)
{
    struct uw_writer w = uw_writer(bytes, UW_OP_DEVICE_SIZE);

    uw_wr_string(&w, info->path, PATH_SIZE);
    uw_wr_string(&w, info->busid, UW_OP_BUSID_SIZE);
    uw_wr_be32(&w, info->busnum);
    uw_wr_be32(&w, info->devnum);
    uw_wr_be32(&w, info->speed);
    uw_wr_be16(&w, info->vid);
    uw_wr_be16(&w, info->pid);
    uw_wr_be16(&w, info->bcd_device);
    uw_wr_u8(&w, info->device_class);
    uw_wr_u8(&w, info->device_subclass);
    uw_wr_u8(&w, info->device_protocol);
    uw_wr_u8(&w, info->configuration_value);
    uw_wr_u8(&w, info->num_configurations);
    uw_wr_u8(&w, info->num_interfaces);
    return w.len;
}

void
uw_decode_device(const uint8_t bytes[UW_OP_DEVICE_SIZE], struct uw_device_info *ret_info)
{
    struct uw_reader r = uw_reader(bytes, UW_OP_DEVICE_SIZE);
    struct uw_device_info info = {0};

    uw_printable(info.path, sizeof(info.path), uw_rd_take(&r, PATH_SIZE), PATH_SIZE);
    uw_printable(info.busid, sizeof(info.busid), uw_rd_take(&r, UW_OP_BUSID_SIZE),
                 UW_OP_BUSID_SIZE);
    info.busnum = uw_rd_be32(&r);
    info.devnum = uw_rd_be32(&r);
    info.speed = uw_rd_be32(&r);
    info.vid = uw_rd_be16(&r);
    info.pid = uw_rd_be16(&r);
    info.bcd_device = uw_rd_be16(&r);
    info.device_class = uw_rd_u8(&r);
    info.device_subclass = uw_rd_u8(&r);
    info.device_protocol = uw_rd_u8(&r);
    info.configuration_value = uw_rd_u8(&r);
    info.num_configurations = uw_rd_u8(&r);
    info.num_interfaces = uw_rd_u8(&r);
    *ret_info = info;
}

/* A NUL-terminated printable string in a field. */
static int
is_text(const uint8_t *p, size_t size)
{
    size_t i = 0;

    while (i < size && p[i] >= 0x20 && p[i] < 0x7f)
        i++;
    return i > 0 && i < size && p[i] == 0;
}

int
uw_check_device(const uint8_t bytes[UW_OP_DEVICE_SIZE])
{
    struct uw_reader r = uw_reader(bytes, UW_OP_DEVICE_SIZE);
    const uint8_t *path = uw_rd_take(&r, PATH_SIZE), *busid = uw_rd_take(&r, UW_OP_BUSID_SIZE);

    uw_rd_take(&r, 8);
    return is_text(path, PATH_SIZE) && is_text(busid, UW_OP_BUSID_SIZE) &&
           uw_rd_be32(&r) <= SPEED_MAX;
}

int
uw_check_empty(const uint8_t bytes[UW_OP_DEVICE_SIZE])
{
    for (size_t i = 0; i < UW_OP_DEVICE_SIZE; i++)
        if (bytes[i])
            return 0;
    return 1;
}

static int
is_reply(const uint8_t *bytes)
{
    struct uw_reader r = uw_reader(bytes, 4);
    uint32_t command = uw_rd_be32(&r);

    return command == UW_RET_SUBMIT || command == UW_RET_UNLINK;
}

int
uw_check_leftover(const uint8_t *bytes, size_t size)
{
    return (size >= 4 && is_reply(bytes)) ||
           (size >= UW_OP_HEADER_SIZE + 4u && is_reply(bytes + UW_OP_HEADER_SIZE));
}

static const struct {
    int error;
    const char *text;
} op_statuses[] = {
    [UW_OP_ST_OK] = {UW_OK, "success"},
    [UW_OP_ST_NA] = {UW_ERROR_ACCESS, "not available: unknown, not exported or in use"},
    [UW_OP_ST_DEV_BUSY] = {UW_ERROR_BUSY, "exported to another client"},
    [UW_OP_ST_DEV_ERR] = {UW_ERROR_IO, "the device is in an error state"},
    [UW_OP_ST_NODEV] = {UW_ERROR_NO_DEVICE, "no such device"},
    [UW_OP_ST_ERROR] = {UW_ERROR_ACCESS, "the server met an error"},
};

#define OP_STATUS_COUNT (sizeof(op_statuses) / sizeof(op_statuses[0]))

int
uw_op_status_error(uint32_t status)
{
    return status < OP_STATUS_COUNT ? op_statuses[status].error : UW_ERROR_PROTOCOL;
}

const char *
uw_op_status_text(uint32_t status)
{
    return status < OP_STATUS_COUNT ? op_statuses[status].text : "meaning unknown";
}
