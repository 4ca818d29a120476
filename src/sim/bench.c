/*
 * bench.c - putting the simulated bench together
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "sim/sim.h"

#define BUSES      3u /* 1: everything but SuperSpeed; 2: SuperSpeed */
#define COPIES_MAX 500u

static const struct sim_model *const models[] = {
#define SIM_MODEL_X(name) &name,
#include "sim/devices.def"
#undef SIM_MODEL_X
};

#define MODELS (sizeof(models) / sizeof(models[0]))

static const struct {
    const char *name;
    enum sim_speed speed;
} speeds[] = {{"low", SIM_LOW}, {"full", SIM_FULL}, {"high", SIM_HIGH}, {"super", SIM_SUPER}};

/* What happens at the bench is told to whoever made it, and logged. */
static void
say(void *data, int level, const char *line)
{
    struct uw_sim *sim = (struct uw_sim *)data;

    if (uw_log_wants(&sim->told, level))
        sim->told.write(sim->told.data, level, line);
    if (sim->board_log)
        sim_board_log_write(sim->board_log, level, line);
}

int
uw_sim_new(const struct uw_log *log, struct uw_sim **ret_sim)
{
    struct uw_sim *sim = calloc(1, sizeof(*sim));

    if (!sim)
        return UW_ERROR_NO_MEMORY;
    uw_list_init(&sim->devices);
    uw_list_init(&sim->conns);
    uw_list_init(&sim->fails);
    uw_list_init(&sim->timeouts);
    uw_list_init(&sim->touched);
    sim->personality = sim_personality_find("linux");
    if (log)
        sim->told = *log;
    sim->log = (struct uw_log){.level = UW_LOG_DEBUG, .write = say, .data = sim};
    sim->random = 1;
    sim->listener.fd = -1;
    sim->now = uw_now();
    sim_lane_init(&sim->lane);
    sim->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    sim->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sim->epoll_fd < 0 || sim->wake.fd < 0 || sim_watch(sim, &sim->wake) < 0) {
        uw_sim_free(sim);
        return UW_ERROR_NO_MEMORY;
    }
    *ret_sim = sim;
    return 0;
}

static void
free_device(struct sim_device *d)
{
    sim_plan(d, uw_never());
    sim_replug_stop(d);
    if (d->model->destroy)
        d->model->destroy(d);
    uw_list_remove(&d->link);
    free(d);
}

void
uw_sim_free(struct uw_sim *sim)
{
    struct uw_list *pos, *tmp;

    if (!sim)
        return;
    sim_mdns_close(sim);
    sim_server_close(sim);
    sim_board_log_close(sim->board_log);
    uw_list_each(pos, tmp, &sim->devices) free_device(UW_CONTAINER(pos, struct sim_device, link));
    uw_list_each(pos, tmp, &sim->fails) free(UW_CONTAINER(pos, struct sim_fail, link));
    if (sim->epoll_fd >= 0)
        close(sim->epoll_fd);
    if (sim->wake.fd >= 0)
        close(sim->wake.fd);
    free(sim);
}

/* xorshift: the same in every run. */
uint32_t
sim_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

void
sim_set_timer(struct uw_sim *sim, struct sim_timer *timer, struct uw_usec at)
{
    uw_heap_set(&sim->timers, &timer->node, at);
}

void
sim_plan(struct sim_device *d, struct uw_usec delay)
{
    sim_set_timer(d->sim, &d->timer, uw_usec_add(d->sim->now, delay));
}

const char *
sim_option(const struct sim_device *d, const char *key)
{
    for (unsigned i = 0; i < d->option_count; i++)
        if (strcmp(d->options[i].key, key) == 0)
            return d->options[i].value;
    return NULL;
}

/* ---- "NAME:KEY=VALUE,..." ---- */

static int
refuse(const char *spec, const char *what, struct uw_fault *fault)
{
    uw_fault_set(fault, UW_ERROR_INVALID, "--device '%s'", spec);
    uw_fault_came(fault, 0, "%s", what);
    uw_fault_advice(fault, "'usbwire serve --list' shows the devices and their keys");
    return UW_ERROR_INVALID;
}

static int
is_key(const char *keys, const char *s, size_t n)
{
    while (keys && *keys) {
        size_t len = strcspn(keys, ",");

        if (len == n && memcmp(keys, s, n) == 0)
            return 1;
        keys += len + (keys[len] == ',');
    }
    return 0;
}

static const char *
read_option(struct sim_device *d, const char *s, size_t n)
{
    const char *eq = memchr(s, '=', n);
    size_t key = eq ? (size_t)(eq - s) : 0, value = eq ? n - key - 1 : 0;
    struct sim_option *o = &d->options[d->option_count];

    if (!key)
        return "a part of it is not KEY=VALUE";
    if (!is_key("count,speed,serial", s, key) && !is_key(d->model->keys, s, key))
        return "this device does not know one of the keys";
    if (d->option_count == sizeof(d->options) / sizeof(d->options[0]) || key >= sizeof(o->key) ||
        value >= sizeof(o->value))
        return "it is too long";
    memcpy(o->key, s, key);
    memcpy(o->value, eq + 1, value);
    d->option_count++;
    return NULL;
}

static const char *
read_options(struct sim_device *d, const char *s)
{
    const char *wrong = NULL;

    while (*s && !wrong) {
        size_t n = strcspn(s, ",");

        wrong = read_option(d, s, n);
        s += n + (s[n] == ',');
    }
    return wrong;
}

static const char *
read_speed(struct sim_device *d)
{
    const char *name = sim_option(d, "speed");
    size_t i = 0, n = sizeof(speeds) / sizeof(speeds[0]);

    if (!name)
        return NULL;
    while (i < n && strcmp(speeds[i].name, name) != 0)
        i++;
    if (i == n)
        return "the speed is none of low, full, high, super";
    d->speed = speeds[i].speed;
    return NULL;
}

/* How many there shall be of it; 1 when nothing is said, 0 when nonsense is. */
static unsigned
read_count(const struct sim_device *d)
{
    const char *text = sim_option(d, "count");
    char *end;
    unsigned long count;

    if (!text)
        return 1;
    if (*text < '0' || *text > '9')
        return 0;
    count = strtoul(text, &end, 10);
    return *end || count > COPIES_MAX ? 0 : (unsigned)count;
}

static void
give_place(struct uw_sim *sim, struct sim_device *d)
{
    const char *serial = sim_option(d, "serial");

    d->busnum = d->speed == SIM_SUPER ? 2 : 1;
    /* Address 1 is the root hub's, as on any bus. */
    d->devnum = 2 + sim->next_devnum[d->busnum]++;
    if (serial)
        snprintf(d->serial, sizeof(d->serial), "%s", serial);
    else
        snprintf(d->serial, sizeof(d->serial), "%s-%u", d->model->name, d->devnum - 1);
}

static int
add_one(struct uw_sim *sim, const struct sim_model *model, const char *spec, const char *options,
        unsigned *ret_count, struct uw_fault *fault)
{
    struct sim_device *d = calloc(1, sizeof(*d));
    const char *wrong;
    int r;

    if (!d)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "--device '%s'", spec);
    d->model = model;
    d->sim = sim;
    d->speed = model->speed;
    uw_list_init(&d->link);
    for (unsigned i = 0; i < SIM_SLOTS; i++)
        uw_list_init(&d->waiting[i]);
    wrong = read_options(d, options);
    if (!wrong)
        wrong = read_speed(d);
    *ret_count = read_count(d);
    if (!wrong && !*ret_count)
        wrong = "the count is not a number from 1 to 500";
    if (wrong) {
        free(d);
        return refuse(spec, wrong, fault);
    }
    give_place(sim, d);
    r = model->create(d);
    if (r == 0 && model->reset)
        model->reset(d);
    if (r < 0) {
        if (model->destroy)
            model->destroy(d);
        sim->next_devnum[d->busnum]--;
        free(d);
        uw_fault_set(fault, r, "--device '%s'", spec);
        uw_fault_advice(fault, "%s", model->text);
        return r;
    }
    uw_list_insert(&sim->devices, &d->link);
    return 0;
}

int
uw_sim_add(struct uw_sim *sim, const char *spec, struct uw_fault *fault)
{
    size_t n = strcspn(spec, ":"), i = 0;
    const char *options = spec[n] ? spec + n + 1 : "";
    unsigned count = 1;

    while (i < MODELS && (strlen(models[i]->name) != n || memcmp(models[i]->name, spec, n) != 0))
        i++;
    if (i == MODELS) {
        refuse(spec, "there is no such device", fault);
        if (fault)
            fault->code = UW_ERROR_NOT_FOUND;
        return UW_ERROR_NOT_FOUND;
    }
    for (unsigned done = 0; done < count; done++) {
        int r = add_one(sim, models[i], spec, options, &count, fault);

        if (r < 0)
            return r;
    }
    return 0;
}

int
uw_sim_set_personality(struct uw_sim *sim, const char *name)
{
    const struct sim_personality *p = sim_personality_find(name);

    if (!p)
        return UW_ERROR_NOT_FOUND;
    sim->personality = p;
    return 0;
}

void
uw_sim_set_latency(struct uw_sim *sim, struct uw_usec latency, struct uw_usec jitter)
{
    sim->latency = latency;
    sim->jitter = jitter;
}

int
uw_sim_fail(struct uw_sim *sim, const char *spec, struct uw_fault *fault)
{
    struct sim_fail *f;
    int r = sim_fail_parse(spec, &f, fault);

    if (r == 0)
        uw_list_insert(&sim->fails, &f->link);
    return r;
}

const char *
uw_sim_device_name(unsigned index)
{
    return index < MODELS ? models[index]->name : NULL;
}

const char *
uw_sim_device_text(unsigned index)
{
    return index < MODELS ? models[index]->text : NULL;
}

int
uw_sim_device_default(unsigned index)
{
    return index < MODELS && models[index]->is_default;
}
