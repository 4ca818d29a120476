/*
 * The thread that writes a capture: readers of a FIFO that come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include <usbwire/capture.h>

struct pipeline {
    char folder[32], fifo[40];
    struct uw_loop *loop;
    struct uw_capture *capture;
};

static void
start(struct pipeline *p)
{
    snprintf(p->folder, sizeof(p->folder), "/tmp/usbwire-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->fifo, sizeof(p->fifo), "%s/fifo", p->folder);
    assert_int_equal(mkfifo(p->fifo, 0600), 0);
    assert_int_equal(uw_loop_new(NULL, &p->loop), 0);
    assert_int_equal(uw_capture_open(p->fifo, NULL, &p->capture, NULL), 0);
    assert_int_equal(uw_capture_attach(p->capture, p->loop), 0);
}

static void
end(struct pipeline *p)
{
    uw_capture_hurry(p->capture);
    uw_capture_free(p->capture);
    uw_loop_free(p->loop);
    unlink(p->fifo);
    rmdir(p->folder);
}

static struct uw_capture_stats
stats_of(struct pipeline *p)
{
    struct uw_capture_stats stats;

    uw_capture_stats(p->capture, &stats);
    return stats;
}

static void
read_a_little(const char *fifo)
{
    uint8_t bytes[28]; /* of the section header block */
    int fd = open(fifo, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(bytes[0], 0x0a);
    close(fd);
}

/* Who looks seldom sees in the statistics that somebody was there, however short it was. */
static void
test_readers_come_and_go(void **state)
{
    struct pipeline p;

    (void)state;
    start(&p);
    assert_int_equal(stats_of(&p).readers, 0);
    for (unsigned n = 1; n <= 2; n++) {
        read_a_little(p.fifo);
        while (stats_of(&p).reader)
            usleep(1000);
        assert_int_equal(stats_of(&p).readers, n);
    }
    end(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
