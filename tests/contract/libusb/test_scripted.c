/*
 * On a server that does what the test tells it: the cases of libusb's tests/umockdev.c, whose
 * devices are in a simulated /sys that no drop-in looks at, and what else has to be seen on the
 * wire.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "libusb/world.h"
#include "scripted.h"

struct seen {
    int calls;
    enum libusb_transfer_status status;
    pthread_t thread;
    int done;
};

static void
note(struct libusb_transfer *t)
{
    struct seen *s = t->user_data;

    s->calls++;
    s->status = t->status;
    s->thread = pthread_self();
    __atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
}

static struct libusb_transfer *
submit(struct fixture *f, void *buffer, int size, unsigned timeout, struct seen *seen)
{
    struct libusb_transfer *t = libusb_alloc_transfer(0);

    memset(seen, 0, sizeof(*seen));
    libusb_fill_bulk_transfer(t, f->h, f->in, buffer, size, note, seen, timeout);
    assert_int_equal(libusb_submit_transfer(t), 0);
    return t;
}

static void
finish(struct fixture *f, struct seen *seen)
{
    while (!seen->done)
        assert_int_equal(libusb_handle_events_completed(f->ctx, &seen->done), 0);
}

static void
test_one_import_is_shared(void **state)
{
    struct fixture *f = *state;
    unsigned before = peer_imports(peer);
    struct uw_usec closed;
    libusb_device_handle *h;

    for (int i = 0; i < 10; i++) {
        assert_int_equal(libusb_open(f->dev, &h), 0);
        libusb_close(h);
    }
    assert_int_equal(peer_imports(peer), before);
    closed = uw_now();
    libusb_close(f->h);
    assert_int_equal(libusb_open(f->dev, &f->h), 0); /* it lingered, unless that took too long */
    assert_true(peer_imports(peer) == before ||
                uw_usec_sub(uw_now(), closed).us > uw_msec(LINGER_MS).us);
}

/* ---- what a program that is wrong is told ---- */

static unsigned heard[LIBUSB_LOG_LEVEL_DEBUG + 1];

static void LIBUSB_CALL
hear(libusb_context *ctx, enum libusb_log_level level, const char *line)
{
    (void)ctx;
    (void)line;
    heard[level]++;
}

/* From here on errors and warnings of the context are counted. */
static void
listen_to(struct fixture *f)
{
    memset(heard, 0, sizeof(heard));
    libusb_set_log_cb(f->ctx, hear, LIBUSB_LOG_CB_GLOBAL);
    assert_int_equal(libusb_set_option(f->ctx, LIBUSB_OPTION_LOG_LEVEL, LIBUSB_LOG_LEVEL_WARNING),
                     0);
}

static void
check_heard(unsigned errors, unsigned warnings)
{
    assert_int_equal(heard[LIBUSB_LOG_LEVEL_ERROR], errors);
    assert_int_equal(heard[LIBUSB_LOG_LEVEL_WARNING], warnings);
    libusb_set_log_cb(NULL, NULL, LIBUSB_LOG_CB_GLOBAL);
}

static void
test_implicit_default(void **state)
{
    struct fixture *f = *state;

    listen_to(f);
    assert_int_equal(count_devices(NULL), 1);
    assert_int_equal(count_devices(NULL), 1);
    check_heard(1, 0); /* once for all */
    assert_int_equal(libusb_init_context(NULL, NULL, 0), 0);
    assert_int_equal(count_devices(NULL), 1);
    libusb_exit(NULL);
}

static void
test_close_while_flying(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[64];
    struct libusb_transfer *t = submit(f, in, sizeof(in), 0, &seen);

    listen_to(f);
    libusb_close(f->h);
    check_heard(1, 0);
    assert_int_equal(libusb_open(f->dev, &f->h), 0);
    assert_int_equal(seen.calls, 0);
    assert_null(t->dev_handle);
    libusb_free_transfer(t);
}

static void
test_close_while_cancelled(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[64];
    struct libusb_transfer *t = submit(f, in, sizeof(in), 0, &seen);

    assert_int_equal(libusb_cancel_transfer(t), 0);
    listen_to(f);
    libusb_close(f->h);
    check_heard(0, 1);
    assert_int_equal(libusb_open(f->dev, &f->h), 0);
    assert_int_equal(seen.calls, 0);
    assert_null(t->dev_handle);
    libusb_free_transfer(t);
}

/* With a device open, a transfer in flight and a device referred to. */
static void
test_context_is_destroyed(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[64];
    struct libusb_transfer *t = submit(f, in, sizeof(in), 0, &seen);

    listen_to(f);
    libusb_exit(f->ctx);
    check_heard(1, 2); /* of the transfer; of the open device and the reference */
    assert_null(t->dev_handle);
    libusb_free_transfer(t);
    libusb_unref_device(f->dev);
    free(f);
    assert_int_equal(set_up(state), 0);
}

static void
test_context_ends_first(void **state)
{
    struct fixture *f = *state;

    (void)state;
    libusb_close(f->h);
    libusb_exit(f->ctx); /* f->dev is still referred to */
    assert_true(libusb_get_bus_number(f->dev) > 100);
    assert_int_equal(libusb_open(f->dev, &f->h), LIBUSB_ERROR_NO_DEVICE);
    libusb_unref_device(f->dev);
    free(f);
    assert_int_equal(set_up(state), 0);
}

static int
answer_strings(struct peer_conn *conn, const struct uw_pdu *pdu, void *arg)
{
    static const uint8_t languages[] = {4, 3, 0x07, 0x04},
                         mixed[] = {8, 3, 'a', 0, 0xe4, 0, 'b', 0}, odd[] = {5, 3, 'a', 0, 'b'},
                         foreign[] = {6, 9, 'a', 0, 'b', 0}, longer[] = {20, 3, 'a', 0};

    (void)arg;
    if (!peer_is(pdu, 0x80, 6))
        return 0;
    switch (peer_value(pdu)) {
    case 0x0300: peer_reply(conn, pdu, 0, languages, sizeof(languages)); return 1;
    case 0x0301: peer_reply(conn, pdu, 0, mixed, sizeof(mixed)); return 1;
    case 0x0302: peer_reply(conn, pdu, 0, odd, sizeof(odd)); return 1;
    case 0x0303: peer_reply(conn, pdu, 0, foreign, sizeof(foreign)); return 1;
    case 0x0304: peer_reply(conn, pdu, 0, longer, sizeof(longer)); return 1;
    case 0x0305: peer_reply(conn, pdu, -ENOENT, NULL, 0); return 1;
    default: return 0;
    }
}

static void
test_strings_on_the_wire(void **state)
{
    struct fixture *f = *state;
    unsigned before;
    unsigned char text[16];

    peer_script(peer, answer_strings, NULL);
    before = peer_requests(peer, 0x80, 6);
    assert_int_equal(libusb_get_string_descriptor_ascii(f->h, 1, text, sizeof(text)), 3);
    assert_string_equal((char *)text, "a?b");
    assert_int_equal(peer_requests(peer, 0x80, 6) - before, 2); /* languages, and then the string */
    assert_int_equal(peer_last(peer, 0x80).setup[4] | peer_last(peer, 0x80).setup[5] << 8, 0x0407);
    for (uint8_t i = 2; i <= 5; i++)
        assert_int_equal(libusb_get_string_descriptor_ascii(f->h, i, text, sizeof(text)),
                         LIBUSB_ERROR_IO);
}

/* A server that stays silent does not keep a transfer beyond its time. */
static void
test_timeout(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[64], data[] = {1, 2, 3};
    struct libusb_transfer *t = submit(f, in, sizeof(in), 40, &seen);
    int moved;

    finish(f, &seen);
    assert_int_equal(seen.status, LIBUSB_TRANSFER_TIMED_OUT);
    libusb_free_transfer(t);
    memset(in, 0xee, sizeof(in));
    peer_give(peer, f->in, 0, data, sizeof(data)); /* late: it must not write there */
    assert_int_equal(libusb_bulk_transfer(f->h, f->in, data, sizeof(data), &moved, RIG_SOON), 0);
    assert_int_equal(moved, 3);
    assert_int_equal(in[0], 0xee);
}

/* ---- what a server's status becomes ---- */

static const struct {
    int raw;
    int async; /* enum libusb_transfer_status */
    int sync;  /* enum libusb_error */
} statuses[] = {
    {0, LIBUSB_TRANSFER_COMPLETED, 0},
    {-EREMOTEIO, LIBUSB_TRANSFER_COMPLETED, 0},
    {-EPIPE, LIBUSB_TRANSFER_STALL, LIBUSB_ERROR_PIPE},
    {-EOVERFLOW, LIBUSB_TRANSFER_OVERFLOW, LIBUSB_ERROR_OVERFLOW},
    {-EPROTO, LIBUSB_TRANSFER_ERROR, LIBUSB_ERROR_IO},
    {-EILSEQ, LIBUSB_TRANSFER_ERROR, LIBUSB_ERROR_IO},
    {-ETIME, LIBUSB_TRANSFER_ERROR, LIBUSB_ERROR_IO},
    {-ECOMM, LIBUSB_TRANSFER_ERROR, LIBUSB_ERROR_IO},
    {-ENOSR, LIBUSB_TRANSFER_ERROR, LIBUSB_ERROR_IO},
    {-ESHUTDOWN, LIBUSB_TRANSFER_NO_DEVICE, LIBUSB_ERROR_NO_DEVICE},
};

static int
answer_status(struct peer_conn *conn, const struct uw_pdu *pdu, void *arg)
{
    const int *raw = arg;

    if ((pdu->ep & 0x0f) == 0 || pdu->command != UW_CMD_SUBMIT)
        return 0;
    peer_reply(conn, pdu, *raw, "abc", 3);
    return 1;
}

static void
test_statuses(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        int raw = statuses[i].raw, moved = -1;
        struct libusb_transfer *t;
        struct seen seen;
        uint8_t in[64];

        peer_script(peer, answer_status, &raw);
        t = submit(f, in, sizeof(in), 0, &seen);
        finish(f, &seen);
        assert_int_equal(seen.status, statuses[i].async);
        assert_int_equal(t->actual_length, 3);
        libusb_free_transfer(t);
        assert_int_equal(libusb_bulk_transfer(f->h, f->in, in, sizeof(in), &moved, RIG_SOON),
                         statuses[i].sync);
        assert_int_equal(moved, 3); /* whatever it ended with */
    }
}

/* Only where the last packet is full is there one of nothing behind it. */
static void
test_zero_packet(void **state)
{
    static const int sizes[] = {512, 511};
    struct fixture *f = *state;
    uint8_t out[512] = {0};

    for (int i = 0; i < 2; i++) {
        struct libusb_transfer *t = libusb_alloc_transfer(0);
        struct seen seen = {0};

        libusb_fill_bulk_transfer(t, f->h, f->out, out, sizes[i], note, &seen, 0);
        t->flags = LIBUSB_TRANSFER_ADD_ZERO_PACKET;
        assert_int_equal(libusb_submit_transfer(t), 0);
        finish(f, &seen);
        assert_int_equal(seen.status, LIBUSB_TRANSFER_COMPLETED);
        assert_int_equal(t->actual_length, sizes[i]);
        assert_int_equal(peer_last(peer, f->out).flags & UW_WIRE_ZERO_PACKET,
                         i == 0 ? UW_WIRE_ZERO_PACKET : 0);
        libusb_free_transfer(t);
    }
}

/* ---- order ---- */

#define MANY 100

struct order {
    atomic_uint next;
    unsigned wrong;
};

static void
check_order(struct libusb_transfer *t)
{
    struct order *o = t->user_data;

    if (t->status != LIBUSB_TRANSFER_COMPLETED || t->buffer[0] != atomic_load(&o->next))
        o->wrong++;
    atomic_fetch_add(&o->next, 1);
}

static void *
handle_all(void *arg)
{
    void **args = arg;
    struct order *o = args[1];

    while (atomic_load(&o->next) < MANY)
        if (libusb_handle_events(args[0]) != 0)
            o->wrong++;
    return NULL;
}

static int
answer_counting(struct peer_conn *conn, const struct uw_pdu *pdu, void *arg)
{
    uint8_t *count = arg;

    if ((pdu->ep & 0x0f) == 0 || pdu->direction == 0)
        return 0;
    peer_reply(conn, pdu, 0, count, 1);
    (*count)++;
    return 1;
}

static void
test_submitted_by_one_handled_by_another(void **state)
{
    struct fixture *f = *state;
    struct order o = {0};
    struct libusb_transfer *t[MANY];
    uint8_t buffers[MANY][64], count = 0;
    void *args[] = {f->ctx, &o};
    pthread_t handler;

    peer_script(peer, answer_counting, &count);
    assert_int_equal(pthread_create(&handler, NULL, handle_all, args), 0);
    for (int i = 0; i < MANY; i++) {
        t[i] = libusb_alloc_transfer(0);
        libusb_fill_bulk_transfer(t[i], f->h, f->in, buffers[i], 64, check_order, &o, 0);
        assert_int_equal(libusb_submit_transfer(t[i]), 0);
    }
    pthread_join(handler, NULL);
    assert_int_equal(o.wrong, 0);
    for (int i = 0; i < MANY; i++)
        libusb_free_transfer(t[i]);
}

/* ---- the device goes ---- */

static void
test_disconnect(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[64];
    libusb_device **list;
    struct libusb_transfer *t = submit(f, in, sizeof(in), 0, &seen);

    peer_cut(peer);
    finish(f, &seen);
    assert_int_equal(seen.status, LIBUSB_TRANSFER_NO_DEVICE);
    assert_true(pthread_equal(seen.thread, pthread_self()));
    assert_int_equal(libusb_submit_transfer(t), LIBUSB_ERROR_NO_DEVICE);
    assert_int_equal(libusb_control_transfer(f->h, 0x80, 8, 0, 0, in, 1, RIG_SOON),
                     LIBUSB_ERROR_NO_DEVICE);
    assert_int_equal(libusb_claim_interface(f->h, 0), LIBUSB_ERROR_NO_DEVICE);
    assert_int_equal(libusb_get_device_list(f->ctx, &list), 1); /* what has come in its place */
    assert_ptr_not_equal(list[0], f->dev);
    libusb_close(f->h);
    libusb_unref_device(f->dev);
    f->dev = libusb_ref_device(list[0]);
    libusb_free_device_list(list, 1);
    assert_int_equal(libusb_open(f->dev, &f->h), 0);
    libusb_free_transfer(t);
}

/* A server that hides what we hold: it is there all the same. */
static void
test_hidden_while_held(void **state)
{
    struct fixture *f = *state;
    unsigned before = peer_lists(peer);

    hide(model, 1);
    while (peer_lists(peer) == before) /* the last list counts for a moment */
        assert_int_equal(count_devices(f->ctx), 1);
    assert_int_equal(count_devices(f->ctx), 1);
    hide(model, 0);
}

/* ---- what cannot be had ---- */

static void
test_in_use_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct seen seen;

    memset(&seen, 0, sizeof(seen));
    pthread_mutex_lock(&peer->lock);
    spare->hidden = 0;
    spare->busy = 1;
    pthread_mutex_unlock(&peer->lock);
    for (unsigned before = peer_lists(peer); peer_lists(peer) == before;)
        assert_int_equal(count_devices(f->ctx), 1); /* it is not listed */
    pthread_mutex_lock(&peer->lock);
    spare->hidden = 1;
    spare->busy = 0;
    pthread_mutex_unlock(&peer->lock);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_import_is_shared),
        TEST(test_implicit_default),
        TEST(test_close_while_flying),
        TEST(test_close_while_cancelled),
        TEST(test_context_is_destroyed),
        TEST(test_context_ends_first),
        TEST(test_strings_on_the_wire),
        TEST(test_timeout),
        TEST(test_statuses),
        TEST(test_zero_packet),
        TEST(test_submitted_by_one_handled_by_another),
        TEST(test_disconnect),
        TEST(test_hidden_while_held),
        TEST(test_in_use_elsewhere),
    };
    int r;

    scripted_start();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    scripted_stop();
    return r;
}
