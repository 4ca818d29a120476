/*
 * packet.h - multicast DNS packets <-> questions and records (RFC 1035 4.1, RFC 6762 18)
 *
 *     0  id, flags                      flags: QR 15, opcode 14..11, AA 10, TC 9, rcode 3..0
 *     4  counts of questions and of the records of each section
 *    12  question: NAME, type, class    class: bit 15 asks for a unicast answer
 *        record: NAME, type, class, ttl, length, data     class: bit 15 flushes caches
 *
 * Pure functions; nothing is allocated, nothing believed.
 */
#ifndef UW_MDNS_PACKET_H
#define UW_MDNS_PACKET_H

#include "mdns/name.h"

#define UW_DNS_HEADER_SIZE 12u
#define UW_DNS_PACKET_MAX  9000u /* RFC 6762 17 */
#define UW_MDNS_PORT       5353u

#define UW_DNS_RESPONSE      0x8000u
#define UW_DNS_AUTHORITATIVE 0x0400u

enum uw_dns_type {
    UW_DNS_A = 1,
    UW_DNS_PTR = 12,
    UW_DNS_TXT = 16,
    UW_DNS_AAAA = 28,
    UW_DNS_SRV = 33,
    UW_DNS_ANY = 255
};

enum uw_dns_section { UW_DNS_ANSWER, UW_DNS_AUTHORITY, UW_DNS_ADDITIONAL };

struct uw_dns_question {
    struct uw_dns_name name;
    uint16_t type;
    int unicast; /* QU */
};

struct uw_dns_record {
    struct uw_dns_name name;
    uint16_t type;
    int flush; /* the cache-flush bit */
    uint32_t ttl;
    struct uw_dns_name target;       /* PTR, SRV */
    uint16_t priority, weight, port; /* SRV */
    const uint8_t *data; /* all others: borrowed from the packet, or from whoever encodes */
    size_t data_size;
};

struct uw_dns_reader {
    const uint8_t *packet;
    size_t size, offset;
    uint16_t id, flags;
    unsigned questions, records; /* still to be read */
    unsigned sections[3];        /* how many records of each */
};

/* Begins to read a packet. PROTOCOL when it is shorter than a header. */
int uw_decode_dns_packet(const uint8_t *packet, size_t size, struct uw_dns_reader *ret_reader);

/* 1 for what may be believed: an answer without an error (RFC 6762 18.2..18.11). Its id says
 * nothing: some responders repeat the question's. */
int uw_dns_is_answer(const struct uw_dns_reader *reader);

/* The next question, then the next record: 1; 0 when there is none; PROTOCOL, and the rest cannot
 * be read. Questions have to be read before records. Records of another class than IN are left out,
 * and so are PTR, SRV, A and AAAA whose data is not of their size. */
int uw_dns_next_question(struct uw_dns_reader *reader, struct uw_dns_question *ret_question);
int uw_dns_next_record(struct uw_dns_reader *reader, struct uw_dns_record *ret_record);

struct uw_dns_writer {
    struct uw_writer w;
    uint16_t counts[4];
};

/* Begins a packet in `size` bytes at `packet`. */
void uw_encode_dns_packet(struct uw_dns_writer *writer, void *packet, size_t size, uint16_t id,
                          uint16_t flags);

/* 1, or 0 when there is no room; the packet is then as before. Questions come first, then records
 * in the order of their sections. */
int uw_dns_add_question(struct uw_dns_writer *writer, const struct uw_dns_question *question);
int uw_dns_add_record(struct uw_dns_writer *writer, enum uw_dns_section section,
                      const struct uw_dns_record *record);

/* Writes the counts; returns the size. */
size_t uw_dns_finish(struct uw_dns_writer *writer);

#endif
