/*
 * status.h - what a server's status numbers mean: one table a dialect (wire/status.def)
 */
#ifndef UW_WIRE_STATUS_H
#define UW_WIRE_STATUS_H

#include <stdint.h>

enum uw_dialect {
    UW_DIALECT_LINUX,    /* negative Linux errno */
    UW_DIALECT_NEWLIB,   /* negative newlib errno (ESP-IDF): ETIMEDOUT 116, EMSGSIZE 122 */
    UW_DIALECT_LIBUSB,   /* negative libusb_error, but Linux on endpoint 0 (pyusbip) */
    UW_DIALECT_STALLS,   /* -32 for every failure (usbipdcpp) */
    UW_DIALECT_POSITIVE, /* positive or byte-swapped errno (jiegec, poc) */
    UW_DIALECT_COUNT
};

/* enum uw_error (UW_OK for 0) for a status of a URB on endpoint number `ep`. |positive| values and
 * byte-swapped ones are put right in every dialect; what is left unknown is IO. */
int uw_status_error(enum uw_dialect dialect, unsigned ep, int32_t raw);

/* "-32 (EPIPE, endpoint halted)"; never empty. */
const char *uw_status_text(enum uw_dialect dialect, unsigned ep, int32_t raw, char *buf,
                           unsigned long size);

#endif
