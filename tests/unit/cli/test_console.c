/*
 * Lines for a reader that is slow, and for one that is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "console.h"

static void
open_pipe(int ends[2])
{
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
}

static void
writes_in_order(void **state)
{
    struct console *c;
    char all[64] = "";
    int ends[2];

    (void)state;
    open_pipe(ends);
    c = console_open(ends[1], NULL, NULL);
    assert_non_null(c);
    console_write(c, "one\n", 4);
    console_write(c, "two\n", 4);
    console_close(c);
    assert_int_equal(read(ends[0], all, sizeof(all)), 8);
    assert_string_equal(all, "one\ntwo\n");
    close(ends[0]);
    close(ends[1]);
}

/* The rest of what was written, once the reader wakes up. */
struct reader {
    int fd;
    char *all;
    size_t size, room;
};

static void *
read_all(void *data)
{
    struct reader *r = (struct reader *)data;
    ssize_t n;

    while ((n = read(r->fd, r->all + r->size, r->room - r->size)) > 0)
        r->size += (size_t)n;
    r->all[r->size] = '\0';
    return NULL;
}

/* Nobody reads: writing returns all the same, and what is there in the end is whole lines, in
 * order, and a word about those that are not. */
static void
never_waits_for_a_reader(void **state)
{
    enum { LINES = 30000 };
    struct reader r = {.room = 8u << 20};
    struct console *c;
    pthread_t thread;
    unsigned long left_out = 0, said, lines = 0;
    int ends[2], last = -1;
    char line[128];

    (void)state;
    open_pipe(ends);
    r.fd = ends[0];
    r.all = malloc(r.room);
    c = console_open(ends[1], NULL, NULL);
    for (int i = 0; i < LINES; i++) {
        int n = snprintf(line, sizeof(line), "%d %090d\n", i, 0);

        console_write(c, line, (size_t)n);
    }
    pthread_create(&thread, NULL, read_all, &r);
    console_close(c);
    close(ends[1]);
    pthread_join(thread, NULL);
    for (char *at = r.all, *end; *at; at = end + 1) {
        int number;

        end = strchr(at, '\n');
        assert_non_null(end);
        if (sscanf(at, "usbwire: %lu lines left out", &said) == 1) {
            left_out += said;
            continue;
        }
        assert_int_equal(sscanf(at, "%d ", &number), 1);
        assert_true(number > last && strspn(strchr(at, ' ') + 1, "0") == 90);
        last = number;
        lines++;
    }
    assert_true(left_out > 0);
    assert_int_equal(lines + left_out, LINES);
    close(ends[0]);
    free(r.all);
}

static void
count(void *data)
{
    atomic_fetch_add((atomic_int *)data, 1);
}

static void
says_when_the_reader_is_gone(void **state)
{
    atomic_int broken = 0;
    struct console *c;
    int ends[2];

    (void)state;
    open_pipe(ends);
    close(ends[0]);
    c = console_open(ends[1], count, &broken);
    assert_int_equal(console_is_broken(c), 0);
    console_write(c, "one\n", 4);
    while (!atomic_load(&broken))
        sched_yield();
    assert_int_equal(console_is_broken(c), 1);
    console_write(c, "two\n", 4);
    console_close(c);
    assert_int_equal(broken, 1);
    close(ends[1]);
    console_close(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_in_order),
        cmocka_unit_test(never_waits_for_a_reader),
        cmocka_unit_test(says_when_the_reader_is_gone),
    };

    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
