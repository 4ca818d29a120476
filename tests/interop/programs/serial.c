/*
 * serial - a serial port, written to and read from while its lines move
 *
 *   serial ADDRESS BUSID BYTES
 *
 * Standard input goes to the port; BYTES bytes of what comes from it go to standard output.
 * Meanwhile another thread moves DTR and RTS, sends breaks and changes rate and format. It tells on
 * standard error how often it did each; 0 breaks: the port says that it has none.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define BYTES_A_ROUND 16384u

struct line {
    struct uw_serial *port;
    atomic_int over;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned lines, breaks, settings;
};

static void
count_round(struct line *l)
{
    pthread_mutex_lock(&l->lock);
    l->lines++;
    pthread_cond_signal(&l->moved);
    pthread_mutex_unlock(&l->lock);
}

/* So much that was written has had its share of disturbance, however quick the port is. */
static void
await_rounds(struct line *l, size_t written)
{
    pthread_mutex_lock(&l->lock);
    while (l->lines < written / BYTES_A_ROUND)
        pthread_cond_wait(&l->moved, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

static void
check(int r, const struct uw_fault *fault, const char *what)
{
    char text[UW_FAULT_TEXT_MAX];

    if (r < 0)
        fail("%s: %s", what, uw_fault_text(fault, text, sizeof(text)));
}

static void
set(struct line *l, unsigned n)
{
    static const int rates[] = {9600, 115200, 921600, 57600};
    struct uw_serial_config c;
    struct uw_fault fault;

    uw_serial_config_init(&c);
    c.baud = rates[n % 4];
    c.data_bits = n & 4 ? 7 : 8;
    c.parity = n & 4 ? UW_PARITY_EVEN : UW_PARITY_NONE;
    c.stop_bits = n & 8 ? UW_STOP_2 : UW_STOP_1;
    check(uw_serial_set_config(l->port, &c, &fault), &fault, "settings");
    l->settings++;
}

static void *
disturb(void *data)
{
    struct line *l = data;
    struct uw_fault fault;
    int has_break = 1;

    for (unsigned n = 0; !atomic_load(&l->over); n++) {
        check(uw_serial_set_lines(l->port, n & 1, (int)(n >> 1 & 1), &fault), &fault, "lines");
        if (has_break) {
            int r = uw_serial_set_break(l->port, 1, &fault);

            has_break = r != UW_ERROR_NOT_SUPPORTED;
            if (has_break)
                check(r, &fault, "break");
        }
        if (has_break) {
            check(uw_serial_set_break(l->port, 0, &fault), &fault, "end of break");
            l->breaks++;
        }
        if (n % 4 == 3)
            set(l, n / 4);
        count_round(l);
    }
    return NULL;
}

static void *
write_all(void *data)
{
    struct line *l = data;
    uint8_t bytes[8192];
    struct uw_fault fault;
    size_t written = 0;
    ssize_t size;

    while ((size = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
        await_rounds(l, written);
        for (ssize_t done = 0; done < size;) {
            long n = uw_serial_write(l->port, bytes + done, (size_t)(size - done),
                                     uw_msec(PATIENCE_MS), &fault);

            check((int)n, &fault, "write");
            if (n == 0)
                fail("nothing was taken any more");
            done += n;
        }
        written += (size_t)size;
    }
    check(uw_serial_drain(l->port, uw_msec(PATIENCE_MS), &fault), &fault, "drain");
    return NULL;
}

static void
read_all(struct line *l, size_t size)
{
    uint8_t bytes[8192];
    struct uw_fault fault;

    while (size > 0) {
        long n = uw_serial_read(l->port, bytes, size < sizeof(bytes) ? size : sizeof(bytes), 1,
                                uw_msec(PATIENCE_MS), &fault);

        check((int)n, &fault, "read");
        if (n == 0)
            fail("%zu bytes never came", size);
        if (write(STDOUT_FILENO, bytes, (size_t)n) != n)
            fail("standard output");
        size -= (size_t)n;
    }
}

int
main(int argc, char **argv)
{
    struct line l = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    struct peer peer;
    struct uw_serial_counts counts;
    struct uw_fault fault;
    pthread_t writer, disturber;

    peer_open(&peer, argc, argv, 1, "BYTES");
    check(uw_serial_open_device(peer.device, NULL, &l.port, &fault), &fault, "open");
    pthread_create(&writer, NULL, write_all, &l);
    pthread_create(&disturber, NULL, disturb, &l);
    read_all(&l, strtoul(argv[3], NULL, 0));
    pthread_join(writer, NULL);
    atomic_store(&l.over, 1);
    pthread_join(disturber, NULL);
    uw_serial_counts(l.port, &counts);
    if (counts.lost || counts.overrun)
        fail("%llu bytes lost, %u overruns", (unsigned long long)counts.lost, counts.overrun);
    fprintf(stderr, "lines %u breaks %u settings %u\n", l.lines, l.breaks, l.settings);
    uw_serial_free(l.port);
    peer_close(&peer);
    return 0;
}
