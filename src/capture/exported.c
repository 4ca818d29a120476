/*
 * exported.c - syslog messages as packets for Wireshark
 */
#include <netinet/in.h>

#include <usbwire/error.h>

#include "capture/exported.h"

enum tag {
    TAG_END = 0,
    TAG_DISSECTOR = 12,
    TAG_IPV4_SOURCE = 20,
    TAG_IPV4_DESTINATION = 21,
    TAG_IPV6_SOURCE = 22,
    TAG_IPV6_DESTINATION = 23,
    TAG_PORT_TYPE = 24,
    TAG_SOURCE_PORT = 25,
    TAG_DESTINATION_PORT = 26
};

#define PORT_TYPE_TCP 2u
#define PORT_TYPE_UDP 3u

size_t
uw_exported_address(const struct sockaddr *address, const void **ret_bytes)
{
    if (address && address->sa_family == AF_INET) {
        *ret_bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
        return 4;
    }
    if (address && address->sa_family == AF_INET6) {
        *ret_bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        return 16;
    }
    return 0;
}

/* As it stands in both kinds of address, in network order. */
static uint16_t
port(const struct sockaddr *address)
{
    const void *bytes =
        address->sa_family == AF_INET
            ? (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_port
            : &((const struct sockaddr_in6 *)(const void *)address)->sin6_port;
    struct uw_reader r = uw_reader(bytes, 2);

    return uw_rd_be16(&r);
}

static void
wr_tag(struct uw_writer *w, enum tag tag, const void *value, size_t size)
{
    uw_wr_be16(w, (uint16_t)tag);
    uw_wr_be16(w, (uint16_t)size);
    uw_wr_bytes(w, value, size);
}

static void
wr_number_tag(struct uw_writer *w, enum tag tag, uint32_t value)
{
    uw_wr_be16(w, (uint16_t)tag);
    uw_wr_be16(w, 4);
    uw_wr_be32(w, value);
}

int
uw_encode_exported_syslog(struct uw_writer *w, const struct sockaddr *source,
                          const struct sockaddr *destination, int protocol)
{
    static const char dissector[8] = "syslog\0";
    const void *from, *to;
    size_t size = uw_exported_address(source, &from);

    if (!size || uw_exported_address(destination, &to) != size)
        return UW_ERROR_INVALID;
    wr_tag(w, TAG_DISSECTOR, dissector, sizeof(dissector));
    wr_tag(w, size == 4 ? TAG_IPV4_SOURCE : TAG_IPV6_SOURCE, from, size);
    wr_tag(w, size == 4 ? TAG_IPV4_DESTINATION : TAG_IPV6_DESTINATION, to, size);
    wr_number_tag(w, TAG_PORT_TYPE, protocol == IPPROTO_UDP ? PORT_TYPE_UDP : PORT_TYPE_TCP);
    wr_number_tag(w, TAG_SOURCE_PORT, port(source));
    wr_number_tag(w, TAG_DESTINATION_PORT, port(destination));
    wr_tag(w, TAG_END, NULL, 0);
    return w->failed ? UW_ERROR_INVALID : 0;
}

size_t
uw_syslog_message_size(const void *message, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)message;

    while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r' || !bytes[size - 1]))
        size--;
    /* Wireshark wants more than "<1" to dissect. */
    return size > 2 && bytes[0] == '<' ? size : 0;
}
