/*
 * rig.c - a broker and programs that use it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

static void
program_start(struct program *p, const struct stand *stand)
{
    struct uw_fault fault;

    memset(p, 0, sizeof(*p));
    assert_int_equal(uw_loop_new(NULL, &p->loop), 0);
    assert_int_equal(uw_server_new(p->loop, "127.0.0.1", stand->port, &p->server, &fault), 0);
}

static void
program_end(struct program *p)
{
    uw_device_free(p->device);
    uw_server_free(p->server);
    uw_loop_free(p->loop);
    memset(p, 0, sizeof(*p));
}

int
rig_join(struct program *p)
{
    struct uw_choice choice;

    uw_choice_init(&choice);
    return uw_find(p->server, &choice, uw_usec(0), LONG, &p->device, NULL, NULL);
}

struct setup *
rig_start(const char *personality, const char *device)
{
    struct setup *s = calloc(1, sizeof(*s));
    struct uw_device_info info;
    struct uw_fault fault;

    assert_non_null(s);
    snprintf(s->folder, sizeof(s->folder), "/tmp/usbwire-test-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", s->folder, 1), 0);
    stand_new(&s->stand, personality);
    stand_add(&s->stand, device);
    stand_run(&s->stand);
    program_start(&s->holder, &s->stand);
    uw_sim_device_at(s->stand.sim, 0, &info);
    assert_int_equal(
        uw_device_import(s->holder.server, info.busid, LONG, &s->holder.device, &fault), 0);
    assert_int_equal(uw_broker_new(s->holder.device, &s->broker, &fault), 0);
    program_start(&s->one, &s->stand);
    program_start(&s->two, &s->stand);
    return s;
}

struct setup *
rig_start_joined(const char *device)
{
    struct setup *s = rig_start("linux", device);

    assert_int_equal(rig_join(&s->one), 0);
    assert_int_equal(rig_join(&s->two), 0);
    return s;
}

void
rig_end(struct setup *s)
{
    char path[96];

    program_end(&s->one);
    program_end(&s->two);
    uw_broker_free(s->broker);
    program_end(&s->holder);
    stand_end(&s->stand);
    /* Nothing is left in the folder but the folder. */
    snprintf(path, sizeof(path), "%s/usbwire", s->folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(s->folder), 0);
    free(s);
}

int
rig_read(struct program *p, uint8_t endpoint, void *data, size_t size, struct uw_usec timeout,
         size_t *ret_actual)
{
    return uw_transfer(p->device, endpoint, data, size, timeout, ret_actual, NULL);
}

int
rig_write(struct program *p, uint8_t endpoint, const void *data, size_t size)
{
    char copy[8192];

    memcpy(copy, data, size);
    return uw_transfer(p->device, endpoint, copy, size, LONG, NULL, NULL);
}

/* Waits, driving the loop, for something that another program does to be seen by this one. */
void
rig_wait(struct program *p, int (*seen)(const struct program *p))
{
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(20000));

    while (!seen(p)) {
        assert_true(uw_now().us < until.us);
        assert_int_equal(uw_loop_wait(p->loop, uw_msec(1000)), 0);
    }
}
