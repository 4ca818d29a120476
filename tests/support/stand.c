/*
 * stand.c - the simulated bench in a thread of its own, for tests
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/stand.h"

static void *
serve(void *arg)
{
    uw_sim_run((struct uw_sim *)arg);
    return NULL;
}

static void
check(int r, const char *what, const struct uw_fault *fault)
{
    char text[UW_FAULT_TEXT_MAX];

    if (r < 0)
        fail_msg("%s: %s", what, uw_fault_text(fault, text, sizeof(text)));
}

void
stand_new(struct stand *s, const char *personality)
{
    assert_int_equal(uw_sim_new(NULL, &s->sim), 0);
    assert_int_equal(uw_sim_set_personality(s->sim, personality), 0);
}

void
stand_add(struct stand *s, const char *device)
{
    struct uw_fault fault;

    check(uw_sim_add(s->sim, device, &fault), device, &fault);
}

void
stand_fail(struct stand *s, const char *spec)
{
    struct uw_fault fault;

    check(uw_sim_fail(s->sim, spec, &fault), spec, &fault);
}

void
stand_run(struct stand *s)
{
    struct uw_fault fault;

    check(uw_sim_listen(s->sim, NULL, 0, &s->port, &fault), "listen", &fault);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s->sim), 0);
}

void
stand_end(struct stand *s)
{
    uw_sim_stop(s->sim);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    uw_sim_free(s->sim);
}
