/*
 * session.c - the server's half of the protocol, fed by a hostile client
 *
 * The first bytes choose the habits of the server and how requests are answered; the rest is what
 * the client sends, in pieces whose sizes come out of it too. Whatever comes, no request is
 * answered twice or lost, what is kept is bounded, and a session that failed says that it wants to
 * close.
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "export/session.h"
#include "fuzz.h"
#include "wire/op.h"

#define KEPT_MAX 64u

struct offer {
    struct uw_session *session;
    struct uw_request *kept[KEPT_MAX];
    unsigned count, unlink;
    int at_once;
};

static struct uw_device_list *
list(void *data)
{
    const struct uw_device_info info = {.path = "/x", .busid = "1-1", .busnum = 1, .devnum = 2};
    const struct uw_device_info *infos[] = {&info};

    (void)data;
    return uw_device_list_new(infos, 1);
}

static uint32_t
import(void *data, const char *busid, struct uw_device_info *ret_info)
{
    (void)data;
    FUZZ_CHECK(strlen(busid) < UW_OP_BUSID_SIZE);
    memset(ret_info, 0, sizeof(*ret_info));
    ret_info->busnum = 1;
    ret_info->devnum = 2;
    return UW_OP_ST_OK;
}

/* Touches all that a device may touch. */
static void
answer(struct offer *o, struct uw_request *r, int32_t status)
{
    uint32_t sum = 0;

    if (r->endpoint & 0x80)
        memset(r->buffer, 0x5a, r->length);
    for (uint32_t i = 0; i < r->iso_count; i++) {
        FUZZ_CHECK((uint64_t)r->iso[i].offset + r->iso[i].length <= r->length);
        r->iso[i].actual = r->iso[i].length;
        sum += r->iso[i].actual;
    }
    uw_session_reply(o->session, r, status, r->iso_count ? sum : r->length);
}

static void
submit(void *data, struct uw_request *r)
{
    struct offer *o = data;

    FUZZ_CHECK((r->endpoint & 0x70) == 0);
    if (o->at_once || o->count == KEPT_MAX)
        answer(o, r, 0);
    else
        o->kept[o->count++] = r;
}

static int
unlink_request(void *data, struct uw_request *r)
{
    struct offer *o = data;

    for (unsigned i = 0; i < o->count; i++)
        if (o->kept[i] == r) {
            if (o->unlink % 3 == UW_UNLINK_DONE)
                o->kept[i] = o->kept[--o->count];
            return (int)(o->unlink % 3);
        }
    FUZZ_CHECK(0); /* a request that we do not hold */
    return UW_UNLINK_REFUSED;
}

static void
drain(struct uw_session *s)
{
    struct iovec iov[8];
    int n;

    while ((n = uw_session_tx(s, iov, 8)) > 0)
        uw_session_tx_done(s, iov[0].iov_len);
    FUZZ_CHECK(uw_session_unsent(s) == 0);
}

/* The oldest half of what is kept. */
static void
answer_some(struct offer *o, int32_t status)
{
    unsigned n = (o->count + 1) / 2;

    for (unsigned i = 0; i < n; i++) {
        struct uw_request *r = o->kept[0];

        memmove(o->kept, o->kept + 1, --o->count * sizeof(o->kept[0]));
        answer(o, r, status);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct offer o = {0};
    struct uw_habits habits = {0};
    const struct uw_export cb = {.habits = &habits,
                                 .list = list,
                                 .import = import,
                                 .submit = submit,
                                 .unlink = unlink_request,
                                 .data = &o};
    int r = 0;

    if (size < 4)
        return 0;
    habits.flags = (unsigned)data[0] | (unsigned)data[1] << 8 | (unsigned)(data[2] & 0x3f) << 16;
    habits.max_transfer = data[3] & 1 ? 64 : 0;
    habits.too_large = data[3] & 2 ? -122 : 0;
    habits.max_requests = data[3] & 4 ? 2 : 0;
    o.at_once = (data[3] & 8) != 0;
    o.unlink = data[3] >> 4;
    data += 4;
    size -= 4;
    if (uw_session_new(&cb, &o.session) < 0)
        return 0;
    while (size && r == 0) {
        size_t n = 1 + (data[0] ^ (size & 0xff)) % 97u;

        n = n < size ? n : size;
        r = uw_session_feed(o.session, data, n);
        data += n;
        size -= n;
        if (n & 1)
            answer_some(&o, n & 2 ? -104 : 0);
        if (r == 0)
            r = uw_session_resume(o.session);
        if (n & 4)
            drain(o.session);
    }
    FUZZ_CHECK(r == 0 || !uw_session_wants_read(o.session));
    drain(o.session);
    FUZZ_CHECK(r == 0 || uw_session_wants_close(o.session));
    uw_session_free(o.session);
    return 0;
}
