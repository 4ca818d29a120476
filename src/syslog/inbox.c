/*
 * inbox.c - messages kept for a thread that comes for them
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/syslog.h>

#include "client/import.h"
#include "client/loop.h"

/* A message as it was received, with everything that was borrowed. */
struct entry {
    struct uw_list link;
    struct uw_syslog_message message;
    struct sockaddr_storage from, to;
    char source[280];
    size_t size;
    char bytes[];
};

struct uw_syslog_inbox {
    struct uw_loop *loop;
    struct uw_list entries;
    unsigned count;
    uint64_t dropped;
    struct entry *taken; /* whose message was given out last */
    char storage[UW_SYSLOG_STORAGE];
};

int
uw_syslog_inbox_new(struct uw_loop *loop, struct uw_syslog_inbox **ret_inbox)
{
    struct uw_syslog_inbox *inbox = calloc(1, sizeof(*inbox));

    if (!inbox)
        return UW_ERROR_NO_MEMORY;
    inbox->loop = loop;
    uw_list_init(&inbox->entries);
    *ret_inbox = inbox;
    return 0;
}

static socklen_t
address_size(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

void
uw_syslog_inbox_put(void *data, const struct uw_syslog_message *message)
{
    struct uw_syslog_inbox *inbox = (struct uw_syslog_inbox *)data;
    struct entry *e = NULL;

    if (inbox->count < UW_SYSLOG_INBOX_MAX)
        e = malloc(sizeof(*e) + message->raw_size);
    if (!e) {
        inbox->dropped++;
        return;
    }
    e->message = *message;
    memset(&e->from, 0, sizeof(e->from));
    memset(&e->to, 0, sizeof(e->to));
    memcpy(&e->from, message->from, address_size(message->from));
    memcpy(&e->to, message->to, address_size(message->to));
    snprintf(e->source, sizeof(e->source), "%s", message->source);
    e->size = message->raw_size;
    memcpy(e->bytes, message->raw, e->size);
    uw_list_insert(&inbox->entries, &e->link);
    inbox->count++;
    uw_loop_wake_waiters(inbox->loop);
}

static int
has_entry(void *arg)
{
    return !uw_list_empty(&((struct uw_syslog_inbox *)arg)->entries);
}

static struct entry *
take_locked(struct uw_syslog_inbox *inbox)
{
    struct entry *e = uw_list_first(&inbox->entries, struct entry, link);

    if (e) {
        uw_list_remove(&e->link);
        inbox->count--;
    }
    return e;
}

/* The strings again, from the bytes: those of the receiver are gone. */
static void
give_out(struct uw_syslog_inbox *inbox, struct entry *e, struct uw_syslog_message *ret_message)
{
    free(inbox->taken);
    inbox->taken = e;
    uw_syslog_parse(e->bytes, e->size, inbox->storage, sizeof(inbox->storage), ret_message);
    ret_message->flags = e->message.flags;
    ret_message->when = e->message.when;
    ret_message->wall_us = e->message.wall_us;
    ret_message->source = e->source;
    ret_message->from = (const struct sockaddr *)(const void *)&e->from;
    ret_message->to = (const struct sockaddr *)(const void *)&e->to;
}

int
uw_syslog_inbox_next(struct uw_syslog_inbox *inbox, struct uw_usec timeout,
                     struct uw_syslog_message *ret_message)
{
    struct entry *e;
    int r;

    uw_loop_lock(inbox->loop);
    r = uw_loop_until(inbox->loop, has_entry, inbox, uw_usec_add(uw_now(), timeout), 1, NULL);
    e = take_locked(inbox);
    uw_loop_unlock(inbox->loop);
    if (!e)
        return r;
    give_out(inbox, e, ret_message);
    return 1;
}

uint64_t
uw_syslog_inbox_dropped(struct uw_syslog_inbox *inbox)
{
    uint64_t n;

    uw_loop_lock(inbox->loop);
    n = inbox->dropped;
    uw_loop_unlock(inbox->loop);
    return n;
}

void
uw_syslog_inbox_free(struct uw_syslog_inbox *inbox)
{
    struct uw_list *pos, *tmp;

    if (!inbox)
        return;
    uw_list_each(pos, tmp, &inbox->entries) free(UW_CONTAINER(pos, struct entry, link));
    free(inbox->taken);
    free(inbox);
}
