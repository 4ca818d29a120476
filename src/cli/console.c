#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPE_SIZE (1 << 20)

struct console {
    int fd, in, out; /* the pipe's ends */
    pthread_t thread;
    atomic_int is_broken;
    void (*broken)(void *data);
    void *data;
    char *rest; /* of a line that the pipe took in part */
    size_t rest_size;
    unsigned long left_out;
};

/* 0 when the descriptor took all of it. */
static int
write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno != EINTR)
            return -1;
        bytes += n < 0 ? 0 : n;
        size -= n < 0 ? 0 : (size_t)n;
    }
    return 0;
}

static void *
run(void *arg)
{
    struct console *c = (struct console *)arg;
    static char bytes[65536];
    ssize_t n;

    while ((n = read(c->in, bytes, sizeof(bytes))) > 0) {
        if (atomic_load(&c->is_broken) || write_all(c->fd, bytes, (size_t)n) == 0)
            continue;
        atomic_store(&c->is_broken, 1);
        if (c->broken)
            c->broken(c->data);
    }
    return NULL;
}

static int
start(struct console *c)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

struct console *
console_open(int fd, void (*broken)(void *data), void *data)
{
    struct console *c = calloc(1, sizeof(*c));
    int ends[2];

    if (!c || pipe2(ends, O_CLOEXEC) < 0) {
        free(c);
        return NULL;
    }
    *c = (struct console){.fd = fd, .in = ends[0], .out = ends[1], .broken = broken, .data = data};
    (void)fcntl(c->out, F_SETPIPE_SZ, PIPE_SIZE); /* as much as this user may have */
    if (fcntl(c->out, F_SETFL, O_NONBLOCK) < 0 || start(c) != 0) {
        close(c->in);
        close(c->out);
        free(c);
        return NULL;
    }
    return c;
}

/* What the pipe takes of it now; the rest is kept. 0 when there was no room at all. */
static int
put(struct console *c, const char *line, size_t size)
{
    ssize_t n = write(c->out, line, size);

    if (n < 0)
        return 0;
    if ((size_t)n == size)
        return 1;
    c->rest = malloc(size - (size_t)n);
    if (!c->rest)
        return 0;
    c->rest_size = size - (size_t)n;
    memcpy(c->rest, line + n, c->rest_size);
    return 1;
}

/* 1 when nothing is left over. */
static int
put_rest(struct console *c)
{
    char *rest = c->rest;
    size_t size = c->rest_size;

    if (!rest)
        return 1;
    c->rest = NULL;
    if (!put(c, rest, size)) {
        c->rest = rest;
        return 0;
    }
    free(rest);
    return !c->rest;
}

static int
put_left_out(struct console *c)
{
    char line[80];
    int n;

    if (!c->left_out)
        return 1;
    n = snprintf(line, sizeof(line), "usbwire: %lu lines left out: the reader is too slow\n",
                 c->left_out);
    if (!put(c, line, (size_t)n))
        return 0;
    c->left_out = 0;
    return !c->rest;
}

void
console_write(struct console *c, const char *line, size_t size)
{
    if (!put_rest(c) || !put_left_out(c) || !put(c, line, size))
        c->left_out++;
}

int
console_is_broken(const struct console *c)
{
    return atomic_load(&c->is_broken);
}

void
console_close(struct console *c)
{
    if (!c)
        return;
    (void)fcntl(c->out, F_SETFL, 0);
    (void)put_rest(c);
    (void)put_left_out(c);
    close(c->out);
    pthread_join(c->thread, NULL);
    close(c->in);
    free(c->rest);
    free(c);
}
