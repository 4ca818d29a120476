/*
 * request.c - who may do what: requests that mean something to the other programs
 */
#include <string.h>

#include "base/bytes.h"
#include "broker/broker.h"

#define STATUS_BUSY    (-16)
#define STATUS_INVALID (-22)

struct setup {
    uint8_t type, request;
    uint16_t value, index, length;
};

static struct setup
read_setup(const struct uw_request *r)
{
    const uint8_t *s = r->setup;

    return (struct setup){s[0], s[1], (uint16_t)(s[2] | s[3] << 8), (uint16_t)(s[4] | s[5] << 8),
                          (uint16_t)(s[6] | s[7] << 8)};
}

static int
taken_by_another(const struct broker_client *c, unsigned interface_number)
{
    const void *owner = c->broker->device->owners[interface_number & 0xffu];

    return owner && owner != c;
}

static int
any_taken_by_another(const struct broker_client *c)
{
    for (unsigned i = 0; i < UW_INTERFACES_MAX; i++)
        if (taken_by_another(c, i))
            return 1;
    return 0;
}

/* The endpoint is of an interface that another program has claimed. */
static int
endpoint_taken(const struct broker_client *c, uint8_t address)
{
    const struct uw_device *d = c->broker->device;

    for (unsigned i = 0; d->active && i < d->active->bNumInterfaces; i++) {
        unsigned number = d->active->interfaces[i].altsettings->bInterfaceNumber;
        const struct uw_altsetting *a = uw_device_altsetting_locked(d, number);

        for (unsigned j = 0; a && j < a->bNumEndpoints; j++)
            if (a->endpoints[j].bEndpointAddress == address)
                return taken_by_another(c, number);
    }
    return 0;
}

/* ---- state, and the news of it ---- */

static void
fill_state(const struct uw_device *d, uint32_t afresh, uint8_t state[UW_SHARED_STATE_SIZE])
{
    struct uw_writer w = uw_writer(state, UW_SHARED_STATE_SIZE);

    uw_wr_le32(&w, afresh);
    uw_wr_u8(&w, (uint8_t)d->value);
    uw_wr_bytes(&w, d->altsettings, sizeof(d->altsettings));
}

static void
answer_bytes(struct broker_client *c, struct uw_request *r, const void *bytes, size_t size)
{
    size_t n = size < r->length ? size : r->length;

    memcpy(r->buffer, bytes, n);
    broker_answer(c, r, 0, (uint32_t)n);
}

static void
answer_state(struct broker_client *c, struct uw_request *r)
{
    fill_state(c->broker->device, c->afresh, c->known);
    c->afresh = 0;
    answer_bytes(c, r, c->known, sizeof(c->known));
}

static int
has_news(const struct broker_client *c)
{
    uint8_t now[UW_SHARED_STATE_SIZE];

    fill_state(c->broker->device, 0, now);
    return c->afresh || memcmp(now + UW_SHARED_VALUE_AT, c->known + UW_SHARED_VALUE_AT,
                               sizeof(now) - UW_SHARED_VALUE_AT) != 0;
}

void
broker_tell(struct broker_client *c)
{
    struct uw_request *r = c->waiting;

    if (!r || !has_news(c))
        return;
    c->waiting = NULL;
    answer_state(c, r);
}

/* ---- the requests ---- */

static int
answer_claim(struct broker_client *c, struct uw_request *r, enum uw_shared_answer answer)
{
    const uint8_t byte = (uint8_t)answer;

    answer_bytes(c, r, &byte, 1);
    return 0;
}

static int
claim(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    struct uw_device *d = c->broker->device;

    if (s->index >= UW_INTERFACES_MAX || !uw_device_altsetting_locked(d, s->index))
        return answer_claim(c, r, UW_SHARED_UNKNOWN);
    if (taken_by_another(c, s->index))
        return answer_claim(c, r, UW_SHARED_TAKEN);
    d->owners[s->index] = c;
    broker_clients_make_way(c, uw_device_interface_endpoints_locked(d, s->index));
    return answer_claim(c, r, UW_SHARED_DONE);
}

static int
release(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    struct uw_device *d = c->broker->device;

    if (s->index >= UW_INTERFACES_MAX || d->owners[s->index] != c)
        return answer_claim(c, r, UW_SHARED_UNKNOWN);
    d->owners[s->index] = NULL;
    uw_device_flush_interface_locked(d, s->index);
    return answer_claim(c, r, UW_SHARED_DONE);
}

static int
state(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    if (s->value && !has_news(c)) {
        if (c->waiting)
            broker_answer(c, c->waiting, STATUS_INVALID, 0);
        c->waiting = r;
        return 0;
    }
    answer_state(c, r);
    return 0;
}

static int
holder(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    struct uw_engine *e = uw_import_engine_locked(c->broker->device->import);
    const char *text = e ? uw_engine_holder_of(e, (uint8_t)s->value) : "";

    answer_bytes(c, r, text, strlen(text));
    return 0;
}

/* Its holder looks for what has become of it. */
static int
changed(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    (void)s;
    (void)answer_claim(c, r, UW_SHARED_DONE);
    uw_import_end_locked(c->broker->device->import, UW_ERROR_NO_DEVICE,
                         "it came back from a reset as another device");
    return 0;
}

static int
busy(struct broker_client *c, struct uw_request *r)
{
    broker_answer(c, r, STATUS_BUSY, 0);
    return 0;
}

static int
get_configuration(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    const uint8_t value = (uint8_t)c->broker->device->value;

    (void)s;
    answer_bytes(c, r, &value, 1);
    return 0;
}

/* The value in force is what a program mostly asks for, and it would reset the others' endpoints.
 */
static int
set_configuration(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    if (s->value == c->broker->device->value && any_taken_by_another(c)) {
        broker_answer(c, r, 0, 0);
        return 0;
    }
    return any_taken_by_another(c) ? busy(c, r) : 1;
}

static int
set_interface(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    return taken_by_another(c, s->index) ? busy(c, r) : 1;
}

static int
clear_feature(struct broker_client *c, const struct setup *s, struct uw_request *r)
{
    return endpoint_taken(c, (uint8_t)s->index) ? busy(c, r) : 1;
}

static const struct {
    uint8_t type, request;
    int (*admit)(struct broker_client *client, const struct setup *setup,
                 struct uw_request *request);
} rules[] = {
    {UW_SHARED_TYPE, UW_SHARED_CLAIM, claim},
    {UW_SHARED_TYPE, UW_SHARED_RELEASE, release},
    {UW_SHARED_TYPE, UW_SHARED_STATE, state},
    {UW_SHARED_TYPE, UW_SHARED_CHANGED, changed},
    {UW_SHARED_TYPE, UW_SHARED_HOLDER, holder},
    {0x80, UW_GET_CONFIGURATION, get_configuration},
    {0x00, UW_SET_CONFIGURATION, set_configuration},
    {0x01, UW_SET_INTERFACE, set_interface},
    {0x02, UW_CLEAR_FEATURE, clear_feature},
};

int
broker_admit(struct broker_client *c, struct uw_request *r)
{
    struct setup s;

    if (r->endpoint & 0x0f)
        return endpoint_taken(c, r->endpoint) ? busy(c, r) : 1;
    s = read_setup(r);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].type == s.type && rules[i].request == s.request)
            return rules[i].admit(c, &s, r);
    return 1;
}

void
broker_release_all(struct broker_client *c)
{
    struct uw_device *d = c->broker->device;

    for (unsigned i = 0; i < UW_INTERFACES_MAX; i++)
        if (d->owners[i] == c) {
            d->owners[i] = NULL;
            uw_device_flush_interface_locked(d, i);
        }
}
