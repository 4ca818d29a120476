#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

static void *
serve(void *arg)
{
    (void)uw_sim_run((struct uw_sim *)arg);
    return NULL;
}

static void
note(void *data, int level, const char *line)
{
    struct rig *r = (struct rig *)data;
    size_t bytes;

    (void)level;
    pthread_mutex_lock(&r->gate);
    pthread_mutex_unlock(&r->gate);
    r->moves += strstr(line, "DTR") || strstr(line, "RTS");
    r->breaks += strstr(line, ": a break begins") != NULL;
    if (sscanf(line, "%*s port %*u: %zu bytes lost", &bytes) != 1)
        return;
    r->losses++;
    r->hidden += bytes % RIG_MODULUS == 0;
}

static struct rig *
make(const char *device, const char *personality, struct uw_usec latency)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct uw_log log = {.level = UW_LOG_INFO, .write = note, .data = r};
    struct uw_fault fault = {0};
    char address[64];

    assert_non_null(r);
    pthread_mutex_init(&r->gate, NULL);
    assert_int_equal(uw_sim_new(&log, &r->sim), 0);
    if (uw_sim_add(r->sim, device, &fault) < 0)
        fail_msg("%s", rig_sentence(&fault));
    if (personality)
        assert_int_equal(uw_sim_set_personality(r->sim, personality), 0);
    uw_sim_set_latency(r->sim, latency, uw_usec(0));
    assert_int_equal(uw_sim_listen(r->sim, NULL, 0, &r->port, NULL), 0);
    assert_non_null(uw_sim_device_at(r->sim, 0, &r->info));
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r->sim), 0);
    assert_int_equal(uw_loop_new(NULL, &r->loop), 0);
    snprintf(address, sizeof(address), "127.0.0.1:%u", r->port);
    assert_int_equal(uw_server_new(r->loop, address, 0, &r->server, NULL), 0);
    return r;
}

struct rig *
rig_new(const char *device, const char *personality)
{
    return make(device, personality, uw_usec(0));
}

struct rig *
rig_new_far(const char *device, struct uw_usec latency)
{
    return make(device, NULL, latency);
}

void
rig_stop_server(struct rig *r)
{
    if (!r->sim)
        return;
    uw_sim_stop(r->sim);
    pthread_join(r->thread, NULL);
    uw_sim_free(r->sim);
    r->sim = NULL;
}

void
rig_free(struct rig *r)
{
    uw_server_free(r->server);
    uw_loop_free(r->loop);
    rig_stop_server(r);
    pthread_mutex_destroy(&r->gate);
    free(r);
}

const char *
rig_url(struct rig *r, const char *query)
{
    static char url[256];

    snprintf(url, sizeof(url), "usbip://127.0.0.1:%u/%s?%s", r->port, r->info.busid, query);
    return url;
}

struct uw_serial *
rig_open(struct rig *r, const char *query)
{
    struct uw_serial *port = NULL;
    struct uw_fault fault = {0};

    if (uw_serial_open(r->loop, rig_url(r, query), NULL, &port, &fault) < 0)
        fail_msg("%s", rig_sentence(&fault));
    return port;
}

void
rig_echo(struct uw_serial *port, const char *text)
{
    size_t n = strlen(text);
    struct uw_fault fault = {0};

    if (uw_serial_write(port, text, n, SOON, &fault) != (long)n)
        fail_msg("%s", rig_sentence(&fault));
    rig_expect(port, text);
}

void
rig_expect(struct uw_serial *port, const char *text)
{
    size_t n = strlen(text);
    struct uw_fault fault = {0};
    char back[256] = "";
    long r;

    assert_true(n < sizeof(back));
    r = uw_serial_read(port, back, n, n, SOON, &fault);
    if (r < 0)
        fail_msg("%s", rig_sentence(&fault));
    assert_int_equal(r, n);
    assert_string_equal(back, text);
}

const char *
rig_sentence(const struct uw_fault *fault)
{
    static char text[UW_FAULT_TEXT_MAX];

    return uw_fault_text(fault, text, sizeof(text));
}
