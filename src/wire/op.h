/*
 * op.h - the two requests before URBs: OP_REQ_DEVLIST and OP_REQ_IMPORT
 * (Linux Documentation/usb/usbip_protocol.rst, "Message Format"; all fields big-endian)
 */
#ifndef UW_WIRE_OP_H
#define UW_WIRE_OP_H

#include <usbwire/server.h>

#define UW_VERSION_111    0x0111
#define UW_OP_REQ_DEVLIST 0x8005
#define UW_OP_REP_DEVLIST 0x0005
#define UW_OP_REQ_IMPORT  0x8003
#define UW_OP_REP_IMPORT  0x0003

#define UW_OP_HEADER_SIZE    8
#define UW_OP_BUSID_SIZE     32
#define UW_OP_DEVICE_SIZE    312
#define UW_OP_INTERFACE_SIZE 4

/* Status of a reply (tools/usb/usbip/libsrc/usbip_common.h). */
enum uw_op_status {
    UW_OP_ST_OK = 0,
    UW_OP_ST_NA = 1,
    UW_OP_ST_DEV_BUSY = 2,
    UW_OP_ST_DEV_ERR = 3,
    UW_OP_ST_NODEV = 4,
    UW_OP_ST_ERROR = 5
};

struct uw_op {
    uint16_t version, code;
    uint32_t status;
};

/* Encoders write to `bytes` and return the size; the buffer must have room for it. */
size_t uw_encode_op(uint8_t bytes[UW_OP_HEADER_SIZE], const struct uw_op *op);
size_t uw_encode_import_request(uint8_t bytes[UW_OP_HEADER_SIZE + UW_OP_BUSID_SIZE],
                                const char *busid);
size_t uw_encode_device(uint8_t bytes[UW_OP_DEVICE_SIZE], const struct uw_device_info *info);

/* Decoders of complete buffers. Strings end at the first NUL whatever follows, and are printable.
 */
void uw_decode_op(const uint8_t bytes[UW_OP_HEADER_SIZE], struct uw_op *ret_op);
/* Leaves interfaces NULL; num_interfaces is what the record says. */
void uw_decode_device(const uint8_t bytes[UW_OP_DEVICE_SIZE], struct uw_device_info *ret_info);

/* 1 when the bytes look like a device record: a printable path and busid, a speed that exists. */
int uw_check_device(const uint8_t bytes[UW_OP_DEVICE_SIZE]);
/* 1 when they are all zero, as some servers answer where there is no device. */
int uw_check_empty(const uint8_t bytes[UW_OP_DEVICE_SIZE]);

/*
 * 1 when what came so far in answer to an import is the answer to somebody's URB: Linux's
 * usbip-vudc gives a new connection what it did not get rid of on the last, in front of the
 * import's answer or behind its header. Such a message looks like no header (it would say version
 * 0) and like no path.
 */
int uw_check_leftover(const uint8_t *bytes, size_t size);

/* enum uw_error for the status of an import reply, and its meaning in words. */
int uw_op_status_error(uint32_t status);
const char *uw_op_status_text(uint32_t status);

/*
 * A whole OP_REP_DEVLIST in one buffer. Servers differ in how many interface records they send:
 * first as many as bNumInterfaces says, then one each, then none is tried, and a reading counts
 * only if every record looks like one. `at_end`: no more bytes will come. Returns 1 and *ret_list
 * when complete, 0 when more bytes are needed, or PROTOCOL, LIMIT, VERSION, ACCESS (reply status
 * not 0), NO_MEMORY.
 */
int uw_decode_device_list(const uint8_t *bytes, size_t size, int at_end, uint32_t max_devices,
                          struct uw_device_list **ret_list);

/* The list that uw_device_list_* (server.h) read; infos and their interfaces in one block each. */
struct uw_device_list {
    unsigned count;
    struct uw_device_info *infos;
    struct uw_interface_class *interfaces;
};

/* A list with copies of `count` records, or NULL without memory. */
struct uw_device_list *uw_device_list_new(const struct uw_device_info *const *infos,
                                          unsigned count);

#endif
