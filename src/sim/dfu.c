/*
 * dfu.c - a boot loader that takes and gives firmware (USB DFU 1.1), with two memories to choose
 * from
 *
 * Interface 0, alternate setting 0 is the flash, 1 the RAM, each of 64 KiB. What is downloaded can
 * be uploaded again as long as the bench runs; before that the flash holds a pattern. An upload
 * ends behind the last byte.
 *
 * With "runtime" it begins as the application that the loader loads (1209:0017): DETACH takes it
 * off the bus, and it comes back as the loader, at the same place or ("moves") at another one. From
 * there a bus reset leads back, as the specification has it - and the end of an import is one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/device.h"
#include "sim/sim.h"

#define MEMORY_SIZE   65536u
#define PATTERN_SIZE  5000u
#define TRANSFER_SIZE 1024u
#define POLL_MS       1u

#define DETACH_MS   10u /* from DETACH to leaving the bus: its answer is on its way by then */
#define AWAY_MS     400u
#define NEW_ADDRESS 64u /* it is enumerated anew; exclusive or */

#define LOADER_PID  0x0007
#define RUNTIME_PID 0x0017

#define CAN_DOWNLOAD 0x01
#define CAN_UPLOAD   0x02
#define TOLERANT     0x04 /* goes on after it has taken a firmware */
#define WILL_DETACH  0x08 /* leaves the bus by itself */

/* 3, table 3.2 */
enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };

/* A.1 */
enum state {
    APP_IDLE = 0,
    APP_DETACH = 1,
    DFU_IDLE = 2,
    DFU_DNLOAD_SYNC = 3,
    DFU_DNLOAD_IDLE = 5,
    DFU_MANIFEST_SYNC = 6,
    DFU_UPLOAD_IDLE = 9,
    DFU_ERROR = 10
};

/* 6.1.2 */
enum status { STATUS_OK = 0, STATUS_ADDRESS = 8, STATUS_STALLED = 15 };

struct memory {
    uint8_t bytes[MEMORY_SIZE];
    size_t size;
};

struct dfu {
    struct memory memories[2];
    uint8_t altsetting;
    enum state state;
    enum status status;
    size_t at;
    int has_runtime; /* there is an application to go back to */
    int moves;       /* each time to another place */
    int leaving;     /* the timer takes it off the bus; else it puts it back */
};

/* ---- what it is ---- */

static void
describe(struct sim_device *d, uint16_t pid, const char *name)
{
    sim_device_descriptor(d, 0x1209, pid, 0x0100, 0, 0, 0);
    d->strings[2] = name;
    d->config_count = 0;
}

static void
add_functional(struct sim_config *c, uint8_t attributes)
{
    const uint8_t functional[] = {9,
                                  0x21,
                                  attributes,
                                  0xe8 /* detach within 1000 ms */,
                                  0x03,
                                  TRANSFER_SIZE & 0xff,
                                  TRANSFER_SIZE >> 8,
                                  0x10,
                                  0x01};

    sim_config_raw(c, functional, sizeof(functional));
}

static void
become_loader(struct sim_device *d)
{
    struct dfu *f = (struct dfu *)d->own;
    struct sim_config c;

    f->state = DFU_IDLE;
    describe(d, LOADER_PID, "usbwire simulated boot loader");
    d->strings[4] = "flash";
    d->strings[5] = "RAM";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 0, 0xfe, 1, 2, 4);
    sim_config_interface(&c, 0, 1, 0, 0xfe, 1, 2, 5);
    add_functional(&c, CAN_DOWNLOAD | CAN_UPLOAD | TOLERANT);
    sim_config_end(&c, 1);
}

static void
become_application(struct sim_device *d)
{
    struct dfu *f = (struct dfu *)d->own;
    struct sim_config c;

    f->state = APP_IDLE;
    describe(d, RUNTIME_PID, "usbwire simulated application");
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 0, 0xfe, 1, 1, 0);
    add_functional(&c, CAN_DOWNLOAD | CAN_UPLOAD | WILL_DETACH);
    sim_config_end(&c, 1);
}

/* ---- from one to the other ---- */

static void
leave(struct sim_device *d, uint32_t ms)
{
    ((struct dfu *)d->own)->leaving = 1;
    sim_plan(d, uw_msec(ms));
}

static void
come_back(struct sim_device *d)
{
    struct dfu *f = (struct dfu *)d->own;

    if (f->state == APP_DETACH)
        become_loader(d);
    else
        become_application(d);
    d->devnum ^= NEW_ADDRESS;
    if (f->moves)
        sim_name_device(d->sim, d);
    d->gone = 0;
}

static void
change(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_device *d = UW_CONTAINER(timer, struct sim_device, timer);
    struct dfu *f = (struct dfu *)d->own;

    (void)now;
    if (!f->leaving) {
        come_back(d);
        return;
    }
    f->leaving = 0;
    sim_unplug(d);
    sim_plan(d, uw_msec(AWAY_MS));
}

static void
bus_reset(struct sim_device *d)
{
    const struct dfu *f = (const struct dfu *)d->own;

    if (f->has_runtime && f->state >= DFU_IDLE && !d->gone && !f->leaving)
        leave(d, 0);
}

static int
read_runtime(const struct sim_device *d, struct dfu *f)
{
    const char *runtime = sim_option(d, "runtime");

    if (!runtime)
        return 0;
    f->has_runtime = 1;
    f->moves = strcmp(runtime, "moves") == 0;
    return f->moves || strcmp(runtime, "stays") == 0 ? 0 : UW_ERROR_INVALID;
}

static int
create(struct sim_device *d)
{
    struct dfu *f = calloc(1, sizeof(*f));

    if (!f)
        return UW_ERROR_NO_MEMORY;
    d->own = f;
    d->timer.fire = change;
    f->memories[0].size = PATTERN_SIZE;
    for (unsigned i = 0; i < PATTERN_SIZE; i++)
        f->memories[0].bytes[i] = (uint8_t)(i * 7u);
    if (read_runtime(d, f) < 0)
        return UW_ERROR_INVALID;
    if (f->has_runtime)
        become_application(d);
    else
        become_loader(d);
    return 0;
}

static void
destroy(struct sim_device *d)
{
    free(d->own);
}

/* Memories outlive it, as on a real device. */
static void
reset(struct sim_device *d)
{
    struct dfu *f = (struct dfu *)d->own;

    if (f->state > DFU_IDLE)
        f->state = DFU_IDLE;
    f->status = STATUS_OK;
    f->altsetting = 0;
    f->at = 0;
}

static void
altsetting(struct sim_device *d, unsigned interface_number, unsigned setting)
{
    (void)interface_number;
    ((struct dfu *)d->own)->altsetting = (uint8_t)setting;
}

static int
fail(struct dfu *f, enum status status)
{
    f->state = DFU_ERROR;
    f->status = status;
    return SIM_STALL;
}

static int
download(struct dfu *f, const struct uw_request *r)
{
    struct memory *m = &f->memories[f->altsetting];

    if (f->state != DFU_IDLE && f->state != DFU_DNLOAD_IDLE)
        return fail(f, STATUS_STALLED);
    if (f->state == DFU_IDLE)
        f->at = 0;
    if (r->length == 0) { /* the end; at the beginning there is nothing that could end */
        if (f->state == DFU_IDLE)
            return fail(f, STATUS_STALLED);
        f->state = DFU_MANIFEST_SYNC;
        return 0;
    }
    if (r->length > TRANSFER_SIZE || r->length > MEMORY_SIZE - f->at)
        return fail(f, STATUS_ADDRESS);
    memcpy(m->bytes + f->at, r->buffer, r->length);
    f->at += r->length;
    m->size = f->at;
    f->state = DFU_DNLOAD_SYNC;
    return 0;
}

static int
upload(struct dfu *f, struct uw_request *r)
{
    const struct memory *m = &f->memories[f->altsetting];
    size_t n;

    if (f->state != DFU_IDLE && f->state != DFU_UPLOAD_IDLE)
        return fail(f, STATUS_STALLED);
    if (f->state == DFU_IDLE)
        f->at = 0;
    n = m->size - f->at < r->length ? m->size - f->at : r->length;
    memcpy(r->buffer, m->bytes + f->at, n);
    f->at += n;
    f->state = n < r->length ? DFU_IDLE : DFU_UPLOAD_IDLE; /* a short block is the last */
    return (int)n;
}

static int
get_status(struct dfu *f, struct uw_request *r)
{
    uint8_t answer[6] = {0};
    size_t n = r->length < sizeof(answer) ? r->length : sizeof(answer);

    if (f->state == DFU_DNLOAD_SYNC)
        f->state = DFU_DNLOAD_IDLE;
    else if (f->state == DFU_MANIFEST_SYNC)
        f->state = DFU_IDLE;
    answer[0] = (uint8_t)f->status;
    answer[1] = POLL_MS;
    answer[4] = (uint8_t)f->state;
    memcpy(r->buffer, answer, n);
    return (int)n;
}

static int
get_state(const struct dfu *f, struct uw_request *r)
{
    if (!r->length)
        return SIM_STALL;
    r->buffer[0] = (uint8_t)f->state;
    return 1;
}

/* The few requests that an application knows (A.2.1); it is on its way soon after the first. */
static int
control_application(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct dfu *f = (struct dfu *)d->own;

    switch (s->request) {
    case DETACH:
        f->state = APP_DETACH;
        leave(d, DETACH_MS);
        return 0;
    case GETSTATUS: return get_status(f, r);
    case GETSTATE: return get_state(f, r);
    default: return SIM_STALL;
    }
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct dfu *f = (struct dfu *)d->own;

    if ((s->type & 0x7f) != 0x21)
        return SIM_STALL;
    if (f->state <= APP_DETACH)
        return control_application(d, s, r);
    switch (s->request) {
    case DETACH: return 0;
    case DNLOAD: return download(f, r);
    case UPLOAD: return upload(f, r);
    case GETSTATUS: return get_status(f, r);
    case GETSTATE: return get_state(f, r);
    case CLRSTATUS:
    case ABORT:
        f->state = DFU_IDLE;
        f->status = STATUS_OK;
        return 0;
    default: return fail(f, STATUS_STALLED);
    }
}

const struct sim_model sim_dfu = {
    .name = "dfu",
    .text = "1209:0007, a boot loader: DFU 1.1, flash and RAM; runtime=stays|moves: it begins as "
            "1209:0017",
    .keys = "runtime",
    .speed = SIM_FULL,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .bus_reset = bus_reset,
    .control = control,
    .altsetting = altsetting,
};
