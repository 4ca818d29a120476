/*
 * client.c - a loop, a server and an import on a stage
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "support/client.h"

#define TESTS_MAX 64

static const char *chosen;

static int
use_epoll(void **state)
{
    (void)state;
    chosen = "epoll";
    return 0;
}

static int
use_poll(void **state)
{
    (void)state;
    chosen = "poll";
    return 0;
}

int
client_run_each(const struct CMUnitTest *tests, size_t count)
{
    static struct CMUnitTest all[2 * TESTS_MAX];
    static char names[2 * TESTS_MAX][80];

    if (count > TESTS_MAX)
        return 1;
    for (size_t i = 0; i < 2 * count; i++) {
        all[i] = tests[i % count];
        snprintf(names[i], sizeof(names[i]), "%s, %s", all[i].name, i < count ? "epoll" : "poll");
        all[i].name = names[i];
        all[i].setup_func = i < count ? use_epoll : use_poll;
    }
    return _cmocka_run_group_tests("client", all, 2 * count, NULL, NULL);
}

const char *
client_backend(void)
{
    return chosen;
}

struct uw_loop *
client_new_loop(void)
{
    struct uw_loop_options options = {.size = sizeof(options), .backend = chosen};
    struct uw_loop *loop;

    assert_int_equal(uw_loop_new(&options, &loop), 0);
    return loop;
}

static void
write_log(void *data, int level, const char *line)
{
    struct client *c = (struct client *)data;
    size_t n = strlen(c->log);

    (void)level;
    snprintf(c->log + n, sizeof(c->log) - n, "%s\n", line);
}

void
client_start_at(struct client *c, const char *address)
{
    struct uw_loop_options options = {.size = sizeof(options), .backend = chosen};

    memset(c, 0, sizeof(*c));
    options.log = (struct uw_log){.level = UW_LOG_DEBUG, .write = write_log, .data = c};
    assert_int_equal(uw_loop_new(&options, &c->loop), 0);
    assert_int_equal(uw_server_new(c->loop, address, 0, &c->server, NULL), 0);
    assert_int_equal(uw_queue_new(c->loop, &c->queue), 0);
}

void
client_start(struct client *c, stage_act *act, void *arg)
{
    struct stage *stage = stage_new(act, arg);

    client_start_at(c, stage_address(stage));
    c->stage = stage;
}

void
client_stop(struct client *c)
{
    uw_import_free(c->import);
    uw_queue_free(c->queue);
    uw_server_free(c->server);
    uw_loop_free(c->loop);
    stage_free(c->stage);
}

int
client_import(struct client *c, struct uw_fault *fault)
{
    return uw_import_new(c->server, "1-1", uw_msec(10000), &c->import, fault);
}

void
client_must_import(struct client *c)
{
    struct uw_fault fault = {0};
    char text[UW_FAULT_TEXT_MAX];

    if (client_import(c, &fault) != 0)
        fail_msg("%s", uw_fault_text(&fault, text, sizeof(text)));
}

struct uw_urb *
client_submit(struct client *c, uint8_t endpoint, size_t length, uint64_t timeout_us)
{
    uint8_t *buffer = malloc(length ? length : 1);
    struct uw_urb *urb;
    int r;

    assert_non_null(buffer);
    for (size_t i = 0; i < length; i++)
        buffer[i] = endpoint & 0x80 ? 0xee : (uint8_t)i;
    assert_int_equal(uw_urb_new(0, &urb), 0);
    if (endpoint & 0x0f)
        uw_urb_set_transfer(urb, NULL, endpoint, buffer, length);
    else
        uw_urb_set_control(urb, NULL, (uint8_t)(endpoint | 0x40), 1, 0, 0, buffer,
                           (uint16_t)length);
    urb->x.buffer = buffer;
    urb->x.max_packet = 64;
    if (timeout_us)
        uw_urb_set_timeout(urb, uw_usec(timeout_us));
    uw_loop_lock(c->loop);
    r = uw_import_submit_locked(c->import, urb, c->queue);
    uw_loop_unlock(c->loop);
    if (r < 0) {
        urb->x.status = r;
        urb->detached = 1; /* marks what was not taken */
    }
    return urb;
}

int
client_finish(struct client *c, struct uw_urb *urb)
{
    if (urb->detached)
        return urb->x.status;
    assert_int_equal(uw_queue_wait(c->queue, uw_msec(30000)), 1);
    assert_ptr_equal(uw_queue_pop(c->queue), urb);
    return uw_urb_status(urb);
}

void
client_urb_free(struct uw_urb *urb)
{
    free(urb->x.buffer);
    uw_urb_free(urb);
}

int
client_run(struct client *c, uint8_t endpoint, size_t length, uint64_t timeout_us)
{
    struct uw_urb *urb = client_submit(c, endpoint, length, timeout_us);
    int r = client_finish(c, urb);

    client_urb_free(urb);
    return r;
}

int
client_cancel(struct client *c, struct uw_urb *urb)
{
    int r;

    uw_loop_lock(c->loop);
    r = uw_import_cancel_locked(c->import, urb);
    uw_loop_unlock(c->loop);
    return r;
}

const char *
client_why(struct client *c)
{
    const char *why;

    uw_loop_lock(c->loop);
    why = uw_import_why_locked(c->import);
    uw_loop_unlock(c->loop);
    return why;
}

int
client_status(struct client *c)
{
    int status;

    uw_loop_lock(c->loop);
    status = uw_import_status_locked(c->import);
    uw_loop_unlock(c->loop);
    return status;
}

uint64_t
client_since(struct uw_usec start)
{
    return uw_usec_sub(uw_now(), start).us;
}

int
client_transfer(struct client *c, uint8_t endpoint, void *data, size_t length, size_t *ret_actual)
{
    struct uw_urb urb = {0};
    int r;

    uw_urb_init(&urb);
    if (endpoint & 0x0f)
        uw_urb_set_transfer(&urb, NULL, endpoint, data, length);
    else
        uw_urb_set_control(&urb, NULL, (uint8_t)(endpoint | 0x40), 1, 0, 0, data, (uint16_t)length);
    urb.x.max_packet = 64;
    uw_loop_lock(c->loop);
    r = uw_import_submit_locked(c->import, &urb, NULL);
    if (r == 0) {
        uw_urb_wait_locked(c->loop, &urb);
        r = urb.x.status;
    }
    uw_loop_unlock(c->loop);
    if (ret_actual)
        *ret_actual = urb.x.actual;
    return r;
}

pthread_t
client_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}
