/*
 * pcapng.h - the blocks of a capture file, little-endian on every host
 *
 * draft-ietf-opsawg-pcapng. Only what every reader understands: the options here were tried with
 * Wireshark, libpcap and pcapfix; others make one of them complain. A writer that is too small has
 * `failed` set and holds nothing useful.
 */
#ifndef UW_CAPTURE_PCAPNG_H
#define UW_CAPTURE_PCAPNG_H

#include "base/bytes.h"

/* dumpcap refuses larger blocks from a pipe. */
#define UW_BLOCK_MAX 262144u

/* Bytes of a packet that are captured at most; the same for all interfaces, as libpcap demands. */
#define UW_SNAPLEN 261120u

/* Room for a block without a packet; strings in it are cut to fit. */
#define UW_SMALL_BLOCK_MAX 4096u

#define UW_EPB_HEADER 28u
#define UW_EPB_FRAME  32u /* header and the length at the end */

enum uw_block_type {
    UW_BLOCK_INTERFACE = 1,
    UW_BLOCK_NAMES = 4,
    UW_BLOCK_STATISTICS = 5,
    UW_BLOCK_PACKET = 6,
    UW_BLOCK_SECTION = 0x0a0d0d0a
};

#define UW_BYTE_ORDER_MAGIC 0x1a2b3c4du

/* Codes of the options used; 0 ends a list of them. */
enum uw_block_option {
    UW_OPT_COMMENT = 1,
    UW_SHB_HARDWARE = 2,
    UW_SHB_OS = 3,
    UW_SHB_USERAPPL = 4,
    UW_IF_NAME = 2,
    UW_IF_DESCRIPTION = 3,
    UW_IF_TSRESOL = 9,
    UW_IF_OS = 12,
    UW_ISB_STARTTIME = 2,
    UW_ISB_ENDTIME = 3,
    UW_ISB_IFRECV = 4,
    UW_ISB_IFDROP = 5,
    UW_ISB_USRDELIV = 8
};

struct uw_statistics {
    uint64_t start, end; /* ns since 1970 */
    uint64_t received, dropped, delivered;
};

/* Section header; NULL strings are left out. */
void uw_encode_section(struct uw_writer *w, const char *comment, const char *hardware,
                       const char *os, const char *application);

/* Interface description, with nanosecond stamps. */
void uw_encode_interface(struct uw_writer *w, uint16_t link_type, const char *name,
                         const char *description, const char *os);

/* Name resolution of one address of 4 or 16 bytes. */
void uw_encode_name(struct uw_writer *w, const void *address, size_t address_size,
                    const char *name);

void uw_encode_statistics(struct uw_writer *w, uint32_t interface,
                          const struct uw_statistics *statistics);

/* Bytes of a packet block with `captured` bytes of packet and a comment (NULL: none). */
size_t uw_packet_block_size(uint32_t captured, const char *comment);

/* The same block, but for the packet itself: returns where its `captured` bytes go, which the
 * caller has to fill; NULL when it does not fit. */
uint8_t *uw_encode_packet(struct uw_writer *w, uint32_t interface, uint64_t stamp,
                          uint32_t captured, uint32_t original, const char *comment);

#endif
