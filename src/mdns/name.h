/*
 * name.h - domain names as multicast DNS has them: labels of any bytes, compared without case
 *
 * A name is kept as on the wire, uncompressed: labels behind their length, an empty one at the end.
 * Instance names hold spaces, slashes, dots and UTF-8; as text, dots and backslashes in a label are
 * escaped with a backslash, other bytes that are not printable as \DDD (RFC 4343, RFC 6763 4.3).
 */
#ifndef UW_MDNS_NAME_H
#define UW_MDNS_NAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define UW_DNS_NAME_MAX  255u /* bytes on the wire, RFC 1035 2.3.4 */
#define UW_DNS_LABEL_MAX 63u
#define UW_DNS_TEXT_SIZE 1024u /* for any name as text */

struct uw_dns_name {
    uint8_t size; /* with the empty label; 1 for the root */
    uint8_t bytes[UW_DNS_NAME_MAX];
};

/* The name at *offset of a packet, pointers followed; moves *offset behind it. PROTOCOL. */
int uw_decode_dns_name(const uint8_t *packet, size_t size, size_t *offset,
                       struct uw_dns_name *ret_name);
void uw_encode_dns_name(struct uw_writer *w, const struct uw_dns_name *name);

/* Out of text; a dot at the end is fine. INVALID. */
int uw_dns_name_parse(const char *text, struct uw_dns_name *ret_name);

/* `label`, of any bytes, in front of `rest`. INVALID when it is too long. */
int uw_dns_name_join(const void *label, size_t size, const struct uw_dns_name *rest,
                     struct uw_dns_name *ret_name);

/* As text, without a dot at the end. Cut when too long, always terminated. Returns buf. */
char *uw_dns_name_text(const struct uw_dns_name *name, char *buf, size_t size);

int uw_dns_name_equal(const struct uw_dns_name *a, const struct uw_dns_name *b);

/* The first label of a name that is one label and then `rest`; its size, 0 when it is none. */
size_t uw_dns_name_label(const struct uw_dns_name *name, const struct uw_dns_name *rest,
                         const uint8_t **ret_label);

#endif
