/*
 * exported.h - syslog messages as packets for Wireshark (link type 252, exported PDUs)
 *
 * Tags { u16 code, u16 length, value }, big-endian, values padded to four bytes, then the message:
 * the only encoding in which Wireshark dissects syslog whatever its port, and shows the addresses.
 * Source: epan/exported_pdu.h of Wireshark.
 */
#ifndef UW_CAPTURE_EXPORTED_H
#define UW_CAPTURE_EXPORTED_H

#include <sys/socket.h>

#include "base/bytes.h"

/* Bytes of the tags at most. */
#define UW_EXPORTED_MAX 128u

/* The tags; `protocol` is IPPROTO_TCP or IPPROTO_UDP. INVALID: addresses that are neither IPv4 nor
 * IPv6, or of different families. */
int uw_encode_exported_syslog(struct uw_writer *w, const struct sockaddr *source,
                              const struct sockaddr *destination, int protocol);

/* Bytes of a bare message without the line end behind it; 0 when it is none. */
size_t uw_syslog_message_size(const void *message, size_t size);

/* The bytes of an address, 4 or 16; 0: another family. */
size_t uw_exported_address(const struct sockaddr *address, const void **ret_bytes);

#endif
