#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

static void
write_log(void *data, int level, const char *line)
{
    struct rig *r = (struct rig *)data;
    size_t n = strlen(r->log);

    (void)level;
    snprintf(r->log + n, sizeof(r->log) - n, "%s\n", line);
}

int
rig_set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct uw_loop_options options = {.size = sizeof(options)};

    assert_non_null(r);
    r->peer = peer_new();
    r->model = peer_add(r->peer, "1-1", "hid-vendor-echo-mouse-hid-high", 3);
    options.log.level = UW_LOG_DEBUG;
    options.log.write = write_log;
    options.log.data = r;
    assert_int_equal(uw_loop_new(&options, &r->loop), 0);
    assert_int_equal(uw_server_new(r->loop, r->peer->address, 0, &r->server, NULL), 0);
    *state = r;
    return 0;
}

int
rig_set_up_imported(void **state)
{
    int r = rig_set_up(state);

    rig_import((struct rig *)*state);
    return r;
}

int
rig_tear_down(void **state)
{
    struct rig *r = (struct rig *)*state;

    uw_device_free(r->device);
    uw_server_free(r->server);
    uw_loop_free(r->loop);
    peer_free(r->peer);
    free(r);
    return 0;
}

void
rig_replace(struct rig *r, const char *vector, uint32_t speed)
{
    pthread_mutex_lock(&r->peer->lock);
    vector_free(&r->model->v);
    vector_read(&r->model->v, vector);
    r->model->speed = speed;
    pthread_mutex_unlock(&r->peer->lock);
}

void
rig_import(struct rig *r)
{
    struct uw_fault fault = {0};

    if (uw_device_import(r->server, "1-1", uw_msec(20000), &r->device, &fault) < 0)
        fail_msg("%s", rig_sentence(&fault));
}

int
rig_said(struct rig *r, const char *text)
{
    return strstr(r->log, text) != NULL;
}

const char *
rig_sentence(const struct uw_fault *fault)
{
    static char text[UW_FAULT_TEXT_MAX];

    return uw_fault_text(fault, text, sizeof(text));
}
