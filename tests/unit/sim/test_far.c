/*
 * test_far.c - the boards behind serial chips, when their bench has much else to do
 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "wire.h"

/* Of a CP210x: what is asked of an interface, and the lines, all of which are told. */
#define TO_INTERFACE 0x41
#define IFC_ENABLE   0x00
#define SET_BREAK    0x05
#define SET_MHS      0x07
#define LINES        0x300
#define DTR          0x01
#define RTS          0x02

#define AWAY_MS 20 /* much longer than the board's reset takes */

static struct stand stand;
static struct wire w;
static sem_t away, back;

/* The bench stands still while it tells of a break. */
static void
stand_still(void *data, int level, const char *line)
{
    (void)data;
    (void)level;
    if (!strstr(line, "a break begins"))
        return;
    sem_post(&away);
    sem_wait(&back);
}

static void
set_lines(unsigned lines)
{
    wire_submit_control(&w, TO_INTERFACE, SET_MHS, (uint16_t)(LINES | lines), 0, NULL, 0);
}

static void
expect_replies(unsigned count)
{
    static struct wire_reply reply;

    while (count-- > 0) {
        assert_true(wire_next(&w, 0, &reply));
        assert_int_equal(reply.pdu.status, 0);
    }
}

/* The board looks at the lines a millisecond after its reset, before they move again. */
static void
test_a_board_does_not_wait_for_its_bench(void **state)
{
    struct uw_log log = {.level = UW_LOG_INFO, .write = stand_still};
    const struct timespec pause = {.tv_nsec = AWAY_MS * 1000000L};
    char text[512] = {0};
    int n;

    (void)state;
    sem_init(&away, 0, 0);
    sem_init(&back, 0, 0);
    assert_int_equal(uw_sim_new(&log, &stand.sim), 0);
    stand_add(&stand, "cp2102n:far=esp32");
    stand_run(&stand);
    wire_open_device(&w, &stand, "1-1");
    assert_int_equal(wire_control(&w, TO_INTERFACE, IFC_ENABLE, 1, 0, NULL, 0), 0);
    set_lines(RTS);
    expect_replies(1);
    wire_hold(&w);
    set_lines(DTR);
    wire_submit_control(&w, TO_INTERFACE, SET_BREAK, 1, 0, NULL, 0);
    wire_let_go(&w);
    sem_wait(&away);
    nanosleep(&pause, NULL);
    set_lines(0);
    sem_post(&back);
    expect_replies(3);
    n = wire_read(&w, 0x81, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "waiting for download"));
    wire_close(&w);
    stand_end(&stand);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_board_does_not_wait_for_its_bench),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
