/*
 * A server that writes a reply's head and data one after the other and leaves NODELAY out: its
 * system holds the data back until the head was acknowledged, and ours would not hurry with that.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "support/client.h"

#define DELAYED_US 40000u /* Linux: the least time an acknowledgement waits for company */

static void
act_without_nodelay(struct stage *stage, int fd, unsigned number)
{
    int off = 0;

    (void)stage;
    (void)number;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off)), 0);
    if (stage_import(fd, NULL))
        stage_serve(fd);
}

static void
test_data_after_the_head(void **state)
{
    struct uw_usec least = uw_never();
    struct client c;

    (void)state;
    client_start(&c, act_without_nodelay, NULL);
    client_must_import(&c);
    for (int i = 0; i < 60; i++) {
        struct uw_usec start = uw_now(), took;

        assert_int_equal(client_run(&c, 0x81, 64, 0), UW_OK);
        took = uw_usec_sub(uw_now(), start);
        if (i >= 40) /* a connection's first acknowledgements are quick by themselves */
            least = uw_usec_min(least, took);
    }
    assert_true(least.us < DELAYED_US / 2);
    client_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_after_the_head),
    };

    return client_run_tests(tests);
}
