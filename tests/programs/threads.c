/*
 * threads - eight threads on libusb's plain interface, by no other means than a program has
 *
 *   threads SECONDS STALL_MS [SEED]
 *
 * Wants four simulated loopbacks (1209:0003) to look for what many threads make possible: wake-ups
 * that are lost, calls that stall, data that is lost, doubled or mixed up, callbacks that run twice
 * or after the end. Each of three parts takes a third of the time: synchronous I/O on one device,
 * on several devices, and lives that end by cancel, close and exit from another thread at any
 * moment.
 *
 * A call may take STALL_MS longer than it has to. What the machine itself is late, which a thread
 * that does nothing but sleep finds out, does not count.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libusb.h>

#include "fail.h"

#define VID        0x1209
#define PID        0x0003
#define DEVICES    4
#define THREADS    8
#define CALL_MS    20000u
#define TICK_US    10000
#define CHUNK_MAX  2000
#define AHEAD_MAX  65536u
#define TRANSFERS  4
#define SHORT_MS   20u /* time-outs and pauses, at most */
#define DESCRIPTOR 18

static atomic_uint stall_ms;
static atomic_long late_us; /* of the machine, in sum */
static atomic_int ticking = 1;
static atomic_ulong calls, bytes, lives;

/* ---- time ---- */

static long
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static void
pause_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};

    nanosleep(&t, NULL);
}

static void *
tick(void *arg)
{
    (void)arg;
    while (ticking) {
        long start = now_us();

        pause_us(TICK_US);
        atomic_fetch_add(&late_us, now_us() - start - TICK_US);
    }
    return NULL;
}

struct watch {
    long start, late;
};

static struct watch
begin(void)
{
    return (struct watch){now_us(), late_us};
}

/* The machine's lateness is known a tick later. */
static void
end(struct watch w, unsigned allowed_ms, const char *what)
{
    long took = now_us() - w.start, limit = (long)(stall_ms + allowed_ms) * 1000;

    atomic_fetch_add(&calls, 1);
    if (took <= limit)
        return;
    pause_us(2 * TICK_US);
    if (took - (late_us - w.late) > limit)
        fail("%s took %ld ms, of which the machine was late %ld", what, took / 1000,
             (late_us - w.late) / 1000);
}

/* ---- chance ---- */

static unsigned
chance(unsigned *seed, unsigned below)
{
    return (unsigned)rand_r(seed) % below;
}

/* The byte at a place of a stream; streams have different keys. */
static unsigned char
byte_at(unsigned long place, unsigned key)
{
    unsigned long x = (place + key) * 2654435761u;

    return (unsigned char)(x >> 13 ^ x >> 24);
}

/* ---- synchronous I/O ---- */

/* A pair of endpoints, one thread that writes and one that reads. */
struct stream {
    libusb_device_handle *h;
    unsigned char out, in;
    int interrupt;
    unsigned key, seed;
    long until;
    atomic_ulong written, read;
    atomic_int all_written;
};

static int
move(const struct stream *s, unsigned char endpoint, unsigned char *data, int length, int *moved,
     unsigned timeout)
{
    return s->interrupt ? libusb_interrupt_transfer(s->h, endpoint, data, length, moved, timeout)
                        : libusb_bulk_transfer(s->h, endpoint, data, length, moved, timeout);
}

static void *
write_stream(void *arg)
{
    struct stream *s = (struct stream *)arg;
    unsigned char data[CHUNK_MAX];
    unsigned seed = s->seed;

    /* Once more when the time is over, for a reader that has begun to wait. */
    for (int last = 0; !last;) {
        int length = 1 + (int)chance(&seed, s->interrupt ? 60 : CHUNK_MAX), moved = 0, r;
        struct watch w = begin();

        last = now_us() >= s->until;
        for (int i = 0; i < length; i++)
            data[i] = byte_at(s->written + (unsigned long)i, s->key);
        r = move(s, s->out, data, length, &moved, CALL_MS);
        if (r != 0 || moved != length)
            fail("write: %s, %d of %d bytes", libusb_error_name(r), moved, length);
        end(w, 0, "a write");
        atomic_fetch_add(&s->written, (unsigned long)moved);
        while (s->written - s->read > AHEAD_MAX)
            pause_us(100);
    }
    atomic_store(&s->all_written, 1);
    return NULL;
}

/* Often with too little time, which must cost no data. */
static void *
read_stream(void *arg)
{
    struct stream *s = (struct stream *)arg;
    unsigned char data[4096];
    unsigned seed = s->seed + 1;

    while (!s->all_written || s->read < s->written) {
        unsigned timeout = chance(&seed, 4) ? 1 + chance(&seed, SHORT_MS) : CALL_MS;
        int moved = 0, r;
        struct watch w = begin();

        /* Perhaps nothing will come any more. */
        if (now_us() + 100000 > s->until)
            timeout = SHORT_MS;
        r = move(s, s->in, data, sizeof(data), &moved, timeout);
        if (r != 0 && !(r == LIBUSB_ERROR_TIMEOUT && timeout != CALL_MS))
            fail("read: %s", libusb_error_name(r));
        end(w, timeout == CALL_MS ? 0 : timeout, "a read");
        for (int i = 0; i < moved; i++)
            if (data[i] != byte_at(s->read + (unsigned long)i, s->key))
                fail("endpoint 0x%02x: byte %lu is wrong", s->in, s->read + (unsigned long)i);
        atomic_fetch_add(&s->read, (unsigned long)moved);
        atomic_fetch_add(&bytes, (unsigned long)moved);
    }
    return NULL;
}

struct asker {
    libusb_device_handle *h;
    unsigned seed;
    long until;
};

static void *
ask(void *arg)
{
    struct asker *a = (struct asker *)arg;
    struct libusb_device_descriptor d;
    unsigned char raw[DESCRIPTOR], text[64];

    libusb_get_device_descriptor(libusb_get_device(a->h), &d);
    while (now_us() < a->until) {
        struct watch w = begin();

        if (chance(&a->seed, 2)) {
            if (libusb_get_descriptor(a->h, LIBUSB_DT_DEVICE, 0, raw, sizeof(raw)) != DESCRIPTOR ||
                (raw[8] | raw[9] << 8) != d.idVendor || (raw[10] | raw[11] << 8) != d.idProduct ||
                raw[16] != d.iSerialNumber)
                fail("another device descriptor");
        } else if (libusb_get_string_descriptor_ascii(a->h, d.iSerialNumber, text, sizeof(text)) <
                       (int)sizeof("loopback-") ||
                   memcmp(text, "loopback-", 9) != 0) {
            fail("another serial number");
        }
        end(w, 0, "a request");
    }
    return NULL;
}

/* The nth of the devices, with interface 0 claimed. */
static libusb_device_handle *
open_device(libusb_context *ctx, int number)
{
    libusb_device_handle *h = NULL;
    libusb_device **list;
    ssize_t n = libusb_get_device_list(ctx, &list);
    int found = 0, r;

    for (ssize_t i = 0; i < n && !h; i++) {
        struct libusb_device_descriptor d;

        libusb_get_device_descriptor(list[i], &d);
        if (d.idVendor != VID || d.idProduct != PID || found++ != number)
            continue;
        r = libusb_open(list[i], &h);
        if (r != 0)
            fail("open: %s", libusb_error_name(r));
    }
    if (n < 0 || !h)
        fail("no device %d in a list of %zd", number, n);
    libusb_free_device_list(list, 1);
    return h;
}

static libusb_context *
new_context(void)
{
    libusb_context *ctx;
    int r = libusb_init(&ctx);

    if (r != 0)
        fail("init: %s", libusb_error_name(r));
    return ctx;
}

static pthread_t
spawn(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, arg) != 0)
        fail("no thread");
    return thread;
}

static void
claim(libusb_device_handle *h)
{
    int r = libusb_claim_interface(h, 0);

    if (r != 0)
        fail("claim: %s", libusb_error_name(r));
}

/* Two streams on four threads; four more ask. */
static void
on_one_device(long until, unsigned seed)
{
    libusb_context *ctx = new_context();
    libusb_device_handle *h = open_device(ctx, 0);
    struct stream streams[2] = {
        {.h = h, .out = 0x01, .in = 0x81, .key = 1, .seed = seed, .until = until},
        {.h = h, .out = 0x02, .in = 0x82, .interrupt = 1, .key = 2, .seed = seed, .until = until}};
    struct asker askers[4];
    pthread_t threads[THREADS];

    claim(h);
    for (unsigned i = 0; i < 4; i++) {
        askers[i] = (struct asker){h, seed + i, until};
        threads[i] = spawn(i % 2 ? read_stream : write_stream, &streams[i / 2]);
        threads[4 + i] = spawn(ask, &askers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    libusb_close(h);
    libusb_exit(ctx);
}

/* A stream each, two of the devices in one context. */
static void
on_several_devices(long until, unsigned seed)
{
    libusb_context *contexts[2] = {new_context(), new_context()};
    struct stream streams[DEVICES];
    pthread_t threads[THREADS];

    memset(streams, 0, sizeof(streams));
    for (unsigned i = 0; i < DEVICES; i++) {
        struct stream *s = &streams[i];

        *s = (struct stream){.out = 0x01, .in = 0x81, .key = i, .seed = seed + i, .until = until};
        s->h = open_device(contexts[i % 2], (int)i);
        claim(s->h);
        threads[2 * i] = spawn(write_stream, s);
        threads[2 * i + 1] = spawn(read_stream, s);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < DEVICES; i++)
        libusb_close(streams[i].h);
    libusb_exit(contexts[0]);
    libusb_exit(contexts[1]);
}

/* ---- lives that end at any moment ---- */

/* One thread opens, submits, and handles events or asks for descriptors; another one ends it. */
struct life {
    libusb_context *ctx;
    libusb_device_handle *h;
    struct libusb_transfer *transfers[TRANSFERS];
    unsigned char buffers[TRANSFERS][64];
    libusb_hotplug_callback_handle hotplug;
    atomic_int ended, closed, over, arrived;
    int asks;
    pthread_mutex_t lock;
    pthread_cond_t left;
    int has_left;
};

static void LIBUSB_CALL
note_end(struct libusb_transfer *t)
{
    struct life *l = (struct life *)t->user_data;

    if (l->closed)
        fail("a callback after the end");
    if (t->status != LIBUSB_TRANSFER_CANCELLED && t->status != LIBUSB_TRANSFER_TIMED_OUT)
        fail("a read of nothing ended with status %u", t->status);
    t->user_data = NULL; /* a second time crashes */
    atomic_fetch_add(&l->ended, 1);
}

static int LIBUSB_CALL
note_arrival(libusb_context *ctx, libusb_device *device, libusb_hotplug_event event, void *arg)
{
    struct life *l = (struct life *)arg;

    (void)device;
    if (ctx != l->ctx || event != LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED)
        fail("device event %d of nobody", (int)event);
    atomic_fetch_add(&l->arrived, 1);
    return 0;
}

static void
watch_arrivals(struct life *l)
{
    int r = libusb_hotplug_register_callback(
        l->ctx, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
        LIBUSB_HOTPLUG_ENUMERATE, VID, PID, LIBUSB_HOTPLUG_MATCH_ANY, note_arrival, l, &l->hotplug);

    if (r != 0 || l->arrived != DEVICES)
        fail("hotplug: %s, %d devices", libusb_error_name(r), l->arrived);
}

static void
start_life(struct life *l, unsigned *seed)
{
    memset(l, 0, sizeof(*l));
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->left, NULL);
    l->asks = (int)chance(seed, 2);
    l->ctx = new_context();
    watch_arrivals(l);
    l->h = open_device(l->ctx, (int)chance(seed, DEVICES));
    for (unsigned i = 0; i < TRANSFERS; i++) {
        struct libusb_transfer *t = l->transfers[i] = libusb_alloc_transfer(0);
        unsigned timeout = chance(seed, 2) ? 1 + chance(seed, SHORT_MS) : 0;
        int r;

        libusb_fill_interrupt_transfer(t, l->h, 0x82, l->buffers[i], sizeof(l->buffers[i]),
                                       note_end, l, timeout);
        r = libusb_submit_transfer(t);
        if (r != 0)
            fail("submit: %s", libusb_error_name(r));
    }
}

static void
cancel_some(struct life *l, unsigned *seed)
{
    for (unsigned i = 0; i < TRANSFERS; i++) {
        int r = chance(seed, 2) ? libusb_cancel_transfer(l->transfers[i]) : 0;

        if (r != 0 && r != LIBUSB_ERROR_NOT_FOUND)
            fail("cancel: %s", libusb_error_name(r));
    }
}

/* Until every transfer has ended; whoever lives it handles the events. */
static void
cancel_all(struct life *l)
{
    struct watch w = begin();

    for (unsigned i = 0; i < TRANSFERS; i++)
        (void)libusb_cancel_transfer(l->transfers[i]);
    while (l->ended < TRANSFERS) {
        pause_us(100);
        if (now_us() - w.start > 1000L * CALL_MS)
            fail("%d of %d transfers ended", l->ended, TRANSFERS);
    }
    end(w, 0, "the end of cancelled transfers");
}

/* A thread may be in the middle of handling events, but not of a call with the handle. */
static void
leave_it(struct life *l)
{
    struct watch w = begin();

    atomic_store(&l->over, 1);
    libusb_interrupt_event_handler(l->ctx);
    pthread_mutex_lock(&l->lock);
    while (!l->has_left)
        pthread_cond_wait(&l->left, &l->lock);
    pthread_mutex_unlock(&l->lock);
    end(w, 0, "waiting for an event handler");
}

static void *
end_life(void *arg)
{
    struct life *l = (struct life *)arg;
    unsigned seed = (unsigned)now_us();
    struct watch w;

    pause_us((long)chance(&seed, SHORT_MS * 1000));
    if (chance(&seed, 2))
        cancel_some(l, &seed);
    if (chance(&seed, 2))
        cancel_all(l);
    if (chance(&seed, 2))
        libusb_hotplug_deregister_callback(l->ctx, l->hotplug);
    if (l->asks)
        leave_it(l);
    w = begin();
    libusb_close(l->h);
    atomic_store(&l->closed, 1);
    end(w, 0, "close");
    for (unsigned i = 0; i < TRANSFERS; i++)
        libusb_free_transfer(l->transfers[i]);
    if (!l->asks)
        leave_it(l);
    w = begin();
    libusb_exit(l->ctx);
    end(w, 0, "exit");
    return NULL;
}

static void
live_it(struct life *l)
{
    unsigned char raw[DESCRIPTOR];

    while (!l->over) {
        int r = l->asks ? libusb_get_descriptor(l->h, LIBUSB_DT_DEVICE, 0, raw, sizeof(raw))
                        : libusb_handle_events(l->ctx);

        if (r < 0)
            fail("in the middle of a life: %s", libusb_error_name(r));
        atomic_fetch_add(&calls, 1);
    }
    pthread_mutex_lock(&l->lock);
    l->has_left = 1;
    pthread_cond_signal(&l->left);
    pthread_mutex_unlock(&l->lock);
}

static void *
live(void *arg)
{
    struct asker *a = (struct asker *)arg;
    struct life l;

    while (now_us() < a->until) {
        pthread_t other;

        start_life(&l, &a->seed);
        other = spawn(end_life, &l);
        live_it(&l);
        pthread_join(other, NULL);
        pthread_mutex_destroy(&l.lock);
        pthread_cond_destroy(&l.left);
        atomic_fetch_add(&lives, 1);
    }
    return NULL;
}

/* Three lives of two threads each at a time, beside a stream that none of them may disturb. */
static void
at_any_moment(long until, unsigned seed)
{
    libusb_context *ctx = new_context();
    struct stream s = {.out = 0x01, .in = 0x81, .key = 9, .seed = seed, .until = until};
    struct asker askers[3];
    pthread_t threads[5];

    s.h = open_device(ctx, 0);
    claim(s.h);
    threads[3] = spawn(write_stream, &s);
    threads[4] = spawn(read_stream, &s);
    for (unsigned i = 0; i < 3; i++) {
        askers[i] = (struct asker){NULL, seed + i, until};
        threads[i] = spawn(live, &askers[i]);
    }
    for (unsigned i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    libusb_close(s.h);
    libusb_exit(ctx);
}

int
main(int argc, char **argv)
{
    static void (*const parts[])(long until, unsigned seed) = {on_one_device, on_several_devices,
                                                               at_any_moment};
    unsigned seed = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : (unsigned)now_us();
    libusb_context *ctx;
    pthread_t ticker;

    if (argc < 3)
        fail("usage: %s SECONDS STALL_MS [SEED]", argv[0]);
    atomic_store(&stall_ms, (unsigned)strtoul(argv[2], NULL, 0));
    ctx = new_context();
    ticker = spawn(tick, NULL);
    for (unsigned i = 0; i < 3; i++) {
        parts[i](now_us() + strtol(argv[1], NULL, 0) * 1000000L / 3, seed);
        printf("part %u: %lu calls, %lu bytes, %lu lives\n", i + 1, calls, bytes, lives);
        fflush(stdout);
    }
    atomic_store(&ticking, 0);
    pthread_join(ticker, NULL);
    libusb_exit(ctx);
    return 0;
}
