/*
 * writer.c - the thread that takes a capture's blocks to where they are written
 *
 *     WAITING ──► WRITING ──► GONE
 *        ▲           │
 *        └───────────┘ a FIFO: its reader left
 *
 * While it waits for the first reader of a FIFO, blocks collect in the ring; between two readers
 * nothing is kept, and the next one gets a section of its own.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "capture/writer.h"

#define LOOK_FOR_READER_US 200000u

struct uw_writer_thread {
    struct uw_capture *capture;
    struct uw_list all;
    struct uw_target target;
    pthread_t thread;
    int started;
    int wake; /* eventfd: look again at `closing` and `hurried` */
    atomic_int closing, hurried;
    atomic_int reading;
    atomic_uint readers; /* so far */
    int failed;          /* errno of a write; 0: none */
    int never_read;      /* nobody came, or took the rest */
    uint64_t written;    /* whole blocks, bytes */
    void (*gone)(void *arg);
    void *gone_arg;
};

/* All of the process: what is not written when it ends is written then. */
static pthread_mutex_t writers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct uw_list writers = {&writers, &writers};

/* ---- waiting ---- */

static int
is_closing(struct uw_writer_thread *w)
{
    return atomic_load(&w->closing);
}

/* Until the target can take something, something else is to be looked at, or `us` are over. Returns
 * the events of the target. */
static short
pause_for(struct uw_writer_thread *w, short events, uint64_t us)
{
    struct pollfd p[] = {{.fd = w->target.fd, .events = events}, {.fd = w->wake, .events = POLLIN}};
    struct timespec ts = {.tv_sec = (time_t)(us / 1000000u),
                          .tv_nsec = (long)(us % 1000000u) * 1000};
    uint64_t drained;

    if (ppoll(p, 2, &ts, NULL) < 0)
        return 0;
    if (p[1].revents && read(w->wake, &drained, sizeof(drained)) < 0)
        return 0;
    return p[0].revents;
}

static void
wake(struct uw_writer_thread *w)
{
    uint64_t one = 1;
    ssize_t r = write(w->wake, &one, sizeof(one));

    (void)r; /* full: it is awake already */
}

/* ---- readers of a FIFO ---- */

static void
say_waiting(struct uw_writer_thread *w)
{
    uw_log(&w->capture->log, UW_LOG_WARNING, "waiting for a reader on %s (wireshark -k -i %s)",
           w->target.name, w->target.name);
}

static void
start_reading(struct uw_writer_thread *w)
{
    atomic_fetch_add(&w->readers, 1);
    atomic_store(&w->reading, 1);
}

/* 1 when there is a reader. */
static int
wait_for_reader(struct uw_writer_thread *w)
{
    struct uw_usec until = uw_never();
    int r;

    say_waiting(w);
    while ((r = uw_target_reopen(&w->target)) == 0) {
        if (is_closing(w) && uw_is_never(until))
            until = uw_usec_add(
                uw_now(), uw_usec(atomic_load(&w->readers) ? 0 : UW_WRITER_FIRST_PATIENCE_US));
        if (atomic_load(&w->hurried) || uw_now().us >= until.us)
            return 0;
        pause_for(w, 0, LOOK_FOR_READER_US);
    }
    if (r < 0) {
        w->failed = -r;
        return 0;
    }
    start_reading(w);
    return 1;
}

/* 1 when another reader came. */
static int
next_reader(struct uw_writer_thread *w)
{
    struct uw_capture *c = w->capture;

    pthread_mutex_lock(&c->lock);
    uw_reader_gone_locked(c);
    pthread_mutex_unlock(&c->lock);
    atomic_store(&w->reading, 0);
    if (w->target.fd >= 0)
        close(w->target.fd);
    w->target.fd = -1;
    if (w->target.kind != UW_TARGET_FIFO || is_closing(w))
        return 0;
    uw_log(&c->log, UW_LOG_WARNING, "the reader of the capture %s has gone", w->target.name);
    if (!wait_for_reader(w))
        return 0;
    pthread_mutex_lock(&c->lock);
    if (!c->closed)
        uw_section_begin_locked(c);
    pthread_mutex_unlock(&c->lock);
    return 1;
}

/* ---- writing ---- */

static ssize_t
write_some(struct uw_writer_thread *w, const uint8_t *bytes, size_t size)
{
    if (w->target.kind == UW_TARGET_SOCKET)
        return send(w->target.fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return write(w->target.fd, bytes, size);
}

/* The reader does not read. 1: try again. */
static int
wait_for_room(struct uw_writer_thread *w, struct uw_usec *give_up)
{
    if (atomic_load(&w->hurried) || uw_now().us >= give_up->us)
        return 0;
    if (is_closing(w) && uw_is_never(*give_up))
        *give_up = uw_usec_add(uw_now(), uw_usec(UW_WRITER_PATIENCE_US));
    pause_for(w, POLLOUT, is_closing(w) ? UW_WRITER_PATIENCE_US / 8 : UINT32_MAX);
    return 1;
}

/* A file ends with a whole block, whatever happened. */
static void
cut_to_blocks(struct uw_writer_thread *w, const uint8_t *bytes, size_t done)
{
    off_t end = lseek(w->target.fd, 0, SEEK_CUR);
    size_t torn = done - uw_reader_whole_blocks(bytes, done);

    if (torn && end >= (off_t)torn && ftruncate(w->target.fd, end - (off_t)torn) == 0)
        (void)lseek(w->target.fd, end - (off_t)torn, SEEK_SET);
}

enum outcome { WRITTEN, READER_GONE, GIVEN_UP };

/* *ret_done: the bytes written. */
static enum outcome
write_all(struct uw_writer_thread *w, const uint8_t *bytes, size_t size, size_t *ret_done)
{
    struct uw_usec give_up = uw_never();
    size_t done = 0;

    for (*ret_done = 0; done < size; *ret_done = done) {
        ssize_t n = write_some(w, bytes + done, size - done);

        if (n > 0) {
            done += (size_t)n;
            give_up = uw_never();
        } else if (n < 0 && errno == EPIPE) {
            return READER_GONE;
        } else if (n < 0 && errno == ECONNRESET) {
            return READER_GONE;
        } else if (n < 0 && errno == EAGAIN) {
            if (wait_for_room(w, &give_up))
                continue;
            w->never_read = 1;
            return GIVEN_UP;
        } else if (n == 0 || errno != EINTR) {
            w->failed = n < 0 ? errno : EIO;
            if (w->target.kind == UW_TARGET_FILE)
                cut_to_blocks(w, bytes, done);
            return GIVEN_UP;
        }
    }
    return WRITTEN;
}

static void
say_failed(struct uw_writer_thread *w)
{
    uw_log(&w->capture->log, UW_LOG_ERROR, "the capture %s cannot be written any more: %s",
           w->target.name, strerror(w->failed));
}

/* Takes what there is and writes it. 0: there will be no more, or nobody takes it. */
static int
write_next(struct uw_writer_thread *w)
{
    struct uw_capture *c = w->capture;
    struct uw_usec until = w->target.kind == UW_TARGET_FILE
                               ? uw_never()
                               : uw_usec_add(uw_now(), uw_usec(LOOK_FOR_READER_US));
    const uint8_t *bytes;
    enum outcome outcome;
    size_t n = 0, done;
    int more;

    pthread_mutex_lock(&c->lock);
    more = uw_reader_wait_locked(c, until);
    if (more)
        n = uw_reader_peek_locked(c, &bytes);
    else
        more = !c->closed;
    pthread_mutex_unlock(&c->lock);
    if (!n) {
        if (more && w->target.kind != UW_TARGET_FILE && pause_for(w, 0, 0) & (POLLERR | POLLHUP))
            return next_reader(w);
        return more;
    }
    outcome = write_all(w, bytes, n, &done);
    pthread_mutex_lock(&c->lock);
    uw_reader_give_back_locked(c, outcome == WRITTEN ? n : uw_reader_whole_blocks(bytes, done));
    if (outcome != WRITTEN)
        uw_reader_gone_locked(c);
    pthread_mutex_unlock(&c->lock);
    if (outcome == READER_GONE)
        return next_reader(w);
    if (w->failed)
        say_failed(w);
    return outcome == WRITTEN;
}

static void *
write_capture(void *arg)
{
    struct uw_writer_thread *w = (struct uw_writer_thread *)arg;
    struct uw_capture *c = w->capture;

    if (w->target.fd >= 0 || wait_for_reader(w)) {
        while (write_next(w))
            ;
        atomic_store(&w->reading, 0);
    } else {
        w->never_read = 1;
    }
    pthread_mutex_lock(&c->lock);
    uw_reader_gone_locked(c);
    pthread_mutex_unlock(&c->lock);
    if (w->gone)
        w->gone(w->gone_arg);
    return NULL;
}

/* ---- starting and ending ---- */

static int
start_thread(struct uw_writer_thread *w)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&w->thread, NULL, write_capture, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->started = r == 0;
    return r ? UW_ERROR_NO_MEMORY : 0;
}

int
uw_writer_start(struct uw_capture *c, const struct uw_target *target, void (*gone)(void *arg),
                void *arg)
{
    struct uw_writer_thread *w = calloc(1, sizeof(*w));

    if (!w) {
        if (target->fd >= 0)
            close(target->fd);
        return UW_ERROR_NO_MEMORY;
    }
    uw_list_init(&w->all);
    w->capture = c;
    w->target = *target;
    atomic_init(&w->reading, 0);
    atomic_init(&w->readers, 0);
    if (target->fd >= 0)
        start_reading(w);
    w->gone = gone;
    w->gone_arg = arg;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->writer = w;
    c->lossless = target->kind == UW_TARGET_FILE;
    if (w->wake < 0 || start_thread(w) < 0) {
        uw_writer_free(c);
        return UW_ERROR_NO_MEMORY;
    }
    pthread_mutex_lock(&writers_lock);
    uw_list_insert(&writers, &w->all);
    pthread_mutex_unlock(&writers_lock);
    return 0;
}

void
uw_writer_free(struct uw_capture *c)
{
    struct uw_writer_thread *w = c->writer;

    if (!w)
        return;
    if (c->forks == uw_capture_forks()) {
        pthread_mutex_lock(&writers_lock);
        uw_list_remove(&w->all);
        pthread_mutex_unlock(&writers_lock);
    } else {
        uw_list_remove(&w->all); /* the lock may have been a thread's of the parent */
    }
    if (w->target.fd >= 0)
        close(w->target.fd);
    if (w->wake >= 0)
        close(w->wake);
    free(w);
    c->writer = NULL;
}

static int
result(const struct uw_writer_thread *w, struct uw_fault *fault)
{
    if (!w->failed && !w->never_read)
        return 0;
    uw_fault_set(fault, w->failed ? UW_ERROR_IO : UW_ERROR_NOT_FOUND, "write the capture");
    uw_fault_on(fault, "%s", w->target.name);
    if (w->failed)
        uw_fault_came(fault, w->failed, "%s", strerror(w->failed));
    else
        uw_fault_came(fault, 0, "nobody read %s", atomic_load(&w->readers) ? "the rest" : "it");
    uw_fault_advice(fault, "%s",
                    w->failed == ENOSPC ? "make room; what was captured until then is whole"
                    : w->failed         ? ""
                                        : "start the reader first: wireshark -k -i FIFO");
    return w->failed ? UW_ERROR_IO : UW_ERROR_NOT_FOUND;
}

int
uw_writer_finish(struct uw_capture *c, struct uw_fault *fault)
{
    struct uw_writer_thread *w = c->writer;

    atomic_store(&w->closing, 1);
    wake(w);
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = 0;
    return result(w, fault);
}

void
uw_writer_stats(const struct uw_capture *c, struct uw_capture_stats *ret_stats)
{
    ret_stats->reader = atomic_load(&c->writer->reading);
    ret_stats->readers = atomic_load(&c->writer->readers);
}

void
uw_writer_hurry(struct uw_capture *c)
{
    atomic_store(&c->writer->hurried, 1);
    wake(c->writer);
}

/* A program that ends without closing its captures has them written all the same. */
__attribute__((destructor)) static void
write_what_is_left(void)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &writers)
    {
        struct uw_writer_thread *w = UW_CONTAINER(pos, struct uw_writer_thread, all);

        uw_list_remove(&w->all);
        if (w->capture->forks == uw_capture_forks()) {
            uw_capture_end(w->capture);
            uw_writer_finish(w->capture, NULL);
        }
    }
}
