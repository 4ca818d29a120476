/*
 * advert.h - what the bench says of itself by multicast DNS: names and records, no I/O
 */
#ifndef UW_SIM_ADVERT_H
#define UW_SIM_ADVERT_H

#include "mdns/packet.h"
#include "transport/multicast.h"

#define SIM_TXT_MAX       512u
#define SIM_ADDRESSES_MAX 8u

/* The addresses at which the server is reached on a link. */
struct sim_reach {
    unsigned count4, count6;
    uint8_t v4[SIM_ADDRESSES_MAX][4], v6[SIM_ADDRESSES_MAX][16];
};

struct sim_advert {
    char label[UW_DNS_LABEL_MAX + 1], host_label[UW_DNS_LABEL_MAX + 1]; /* as wanted */
    unsigned instance_number, host_number; /* 1: as wanted; more: behind the name */
    struct uw_dns_name type, all_types, instance, host;
    uint16_t port;
    uint8_t txt[SIM_TXT_MAX];
    size_t txt_size;
};

/* Sets the names out of labels and numbers. */
void sim_advert_name(struct sim_advert *advert);

void sim_advert_txt(struct sim_advert *advert, const char *key, const char *value);

/* Everything, unasked: announcements; with ttl 0 the farewell. Returns the size. */
size_t sim_advert_announce(const struct sim_advert *advert, const struct sim_reach *reach,
                           int farewell, uint8_t *packet, size_t room);

/* "Does anybody have these names?" */
size_t sim_advert_probe(const struct sim_advert *advert, const struct sim_reach *reach,
                        uint8_t *packet, size_t room);

struct sim_asked {
    int is_ours;  /* a question for something that is the bench's */
    int unicast;  /* all of those want a unicast answer */
    int is_probe; /* somebody else wants the names; `rival` tells how its data compares */
    int rival;    /* < 0: ours come first and give way; > 0: we keep them */
};

/* Reads a query. */
struct sim_asked sim_advert_read_query(const struct sim_advert *advert, const uint8_t *packet,
                                       size_t size);

/* The answer to a query that asks for something of ours. `legacy`: to somebody who is no mDNS
 * program (RFC 6762 6.7). */
size_t sim_advert_answer(const struct sim_advert *advert, const struct sim_reach *reach,
                         const uint8_t *query, size_t query_size, int legacy, uint8_t *packet,
                         size_t room);

enum { SIM_CONFLICT_INSTANCE = 1, SIM_CONFLICT_HOST = 2 };

/* Reads somebody's answer: which of our names it uses for something else. `reach`: all links. */
int sim_advert_conflicts(const struct sim_advert *advert, const struct sim_reach *reach,
                         const uint8_t *packet, size_t size);

#endif
