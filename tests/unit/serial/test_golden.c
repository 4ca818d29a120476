/*
 * Our drivers against the kernel's: what its requests make of a simulated chip, step by step, ours
 * have to make of it, too. Its requests are in tests/vectors/serial, recorded from Linux
 * (tests/interop/test_serial_golden.py).
 *
 * A step is "BAUD:FORMAT", "rtscts", "xonxoff", "noflow", "dtr=0", "rts=1", "both=1", "break=1";
 * [bind] and [open] come before, [close] comes after.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/sim.h>

#include "serial/driver.h"
#include "sim/sim.h"
#include "sim/uart.h"

#define ROOM 1024u
#define BOTH (UW_LINE_DTR | UW_LINE_RTS)

static const char *const chips[] = {"cp2102", "cp2102n", "cp2104",   "cp2105",   "cp2108",
                                    "ft232r", "ft2232h", "ft4232h",  "ft232h",   "ft230x",
                                    "ch340",  "ch341",   "pl2303hx", "pl2303gc", "acm-echo"};

/* Where the two do not agree, and why that is right. */
static struct difference {
    const char *chip, *step, *what, *reason;
    int seen;
} differences[] = {
    {"cp2105", "9600:8O2", "refused",
     "its standard port has one stop bit (AN571); Linux asks for two", 0},
    {"acm-echo", "rtscts", "refused",
     "CDC-ACM has no flow control; Linux sends nothing and says yes", 0},
    {"acm-echo", "xonxoff", "refused", "as above", 0},
    {"ch340", "xonxoff", "refused", "the chip has none; Linux leaves it to the terminal layer", 0},
    {"ch341", "xonxoff", "refused", "as above", 0},
    {"ch340", "rtscts", "flow", "Linux does not use the register that makes the chip look at CTS",
     0},
    {"ch341", "rtscts", "flow", "as above", 0},
};

/* A simulated chip without a server: its registers, and the last port. */
struct bench {
    struct uw_sim *sim;
    struct sim_device *device;
    struct sim_uart *uart;
};

static void
bench_open(struct bench *b, const char *chip)
{
    assert_int_equal(uw_sim_new(NULL, &b->sim), 0);
    assert_int_equal(uw_sim_add(b->sim, chip, NULL), 0);
    b->device = UW_CONTAINER(b->sim->devices.next, struct sim_device, link);
    b->uart = b->device->uarts[b->device->uart_count - 1];
}

/* A class or vendor request; returns what sim_model.control does. `data` has room for 1024 bytes.
 */
static int
bench_ask(struct bench *b, const uint8_t setup[8], uint8_t *data)
{
    struct sim_setup s = {setup[0], setup[1], (uint16_t)(setup[2] | setup[3] << 8),
                          (uint16_t)(setup[4] | setup[5] << 8),
                          (uint16_t)(setup[6] | setup[7] << 8)};
    struct uw_request r = {.buffer = data, .length = s.length};

    memcpy(r.setup, setup, sizeof(r.setup));
    memset(data + s.length, 0, ROOM - s.length);
    return b->device->model->control(b->device, &s, &r);
}

/* ---- the kernel's requests ---- */

static uint8_t
hex_byte(const char *s)
{
    char digits[3] = {s[0], s[1], '\0'};

    return (uint8_t)strtoul(digits, NULL, 16);
}

/* "41 1e 0000 0000 0004 = 80250000", "c0 ff 370b 0000 0001 > 20", "... ! -32". What came is
 * compared when the chip has no past: the recorded one had been open before. */
static void
kernel_request(struct bench *b, const char *line, int has_past)
{
    unsigned type, request, value, index, length;
    uint8_t data[ROOM] = {0}, setup[8];
    char mark = 0, rest[256] = "";
    int r;

    assert_true(sscanf(line, "%x %x %x %x %x %c %255s", &type, &request, &value, &index, &length,
                       &mark, rest) >= 5);
    assert_true(length <= sizeof(data));
    for (size_t i = 0; mark == '=' && i < length; i++)
        data[i] = hex_byte(rest + 2 * i);
    memcpy(setup,
           (const uint8_t[8]){(uint8_t)type, (uint8_t)request, (uint8_t)value,
                              (uint8_t)(value >> 8), (uint8_t)index, (uint8_t)(index >> 8),
                              (uint8_t)length, (uint8_t)(length >> 8)},
           sizeof(setup));
    r = bench_ask(b, setup, data);
    if (mark == '!')
        assert_int_equal(r, strtol(rest, NULL, 10));
    else
        assert_true(r >= 0);
    for (int i = 0; mark == '>' && !has_past && i < r; i++)
        assert_int_equal(data[i], hex_byte(rest + 2 * i));
}

/* ---- ours ---- */

struct ours {
    struct bench bench;
    struct serial_chip chip;
    struct serial_line line;
    unsigned lines;
};

/* `learn` gets what comes, by step; NULL: nobody asks. */
static void
run(struct ours *o, const struct serial_plan *plan,
    void (*learn)(struct serial_chip *chip, unsigned step, const uint8_t *data, int length))
{
    for (unsigned i = 0; i < plan->count; i++) {
        const struct serial_request *q = &plan->requests[i];
        const uint8_t setup[8] = {q->type,
                                  q->request,
                                  (uint8_t)q->value,
                                  (uint8_t)(q->value >> 8),
                                  (uint8_t)q->index,
                                  (uint8_t)(q->index >> 8),
                                  (uint8_t)q->length,
                                  (uint8_t)(q->length >> 8)};
        uint8_t data[ROOM];
        int r;

        memcpy(data, q->data, sizeof(q->data));
        r = bench_ask(&o->bench, setup, data);
        assert_true(r >= 0 || q->optional);
        if (learn)
            learn(&o->chip, i, data, r);
    }
}

/* 0 when the chip cannot do that; then nothing has changed. */
static int
set_line(struct ours *o, const struct serial_line *from, const struct serial_line *to)
{
    struct serial_chip chip = o->chip;
    struct serial_plan plan = {0};
    const char *why = NULL;

    if (chip.driver->set_line(&chip, from, to, &plan, &why) < 0)
        return 0;
    o->chip = chip;
    o->line = *to;
    run(o, &plan, NULL);
    return 1;
}

static void
set_lines(struct ours *o, unsigned lines, unsigned mask)
{
    struct serial_plan plan = {0};

    o->lines = (o->lines & ~mask) | (lines & mask);
    o->chip.driver->set_lines(&o->chip, o->lines, mask, &plan);
    run(o, &plan, NULL);
}

static void
ours_open(struct ours *o)
{
    const struct serial_driver *d = o->chip.driver;
    const struct serial_line line = {
        .baud = 9600, .data_bits = 8, .xon = 0x11, .xoff = 0x13, .latency = 16};
    struct serial_plan plan = {0};

    if (d->identify) {
        d->identify(&o->chip, &plan);
        run(o, &plan, d->learn);
        plan.count = 0;
    }
    if (d->open)
        d->open(&o->chip, &plan);
    run(o, &plan, NULL);
    assert_true(set_line(o, NULL, &line));
    set_lines(o, BOTH, BOTH); /* which the kernel does whenever a terminal is opened */
}

static void
ours_close(struct ours *o)
{
    struct serial_plan plan = {0};

    set_lines(o, 0, BOTH);
    if (o->chip.driver->close)
        o->chip.driver->close(&o->chip, &plan);
    run(o, &plan, NULL);
}

static int
set_rate(struct ours *o, const char *step)
{
    static const char parities[] = "NOEMS";
    const char *format = strchr(step, ':') + 1;
    struct serial_line to = o->line;

    to.baud = (unsigned)strtoul(step, NULL, 10);
    to.data_bits = (unsigned)(format[0] - '0');
    to.parity = (unsigned)(strchr(parities, format[1]) - parities);
    to.stop_bits = format[2] == '2' ? UW_STOP_2 : UW_STOP_1;
    return set_line(o, &o->line, &to);
}

static int
set_flow(struct ours *o, unsigned flow)
{
    struct serial_line to = o->line;

    to.flow = flow;
    return set_line(o, &o->line, &to);
}

/* Returns 0 when that was refused. */
static int
take_step(struct ours *o, const char *step)
{
    static const struct {
        const char *name;
        unsigned lines;
    } outputs[] = {{"dtr=", UW_LINE_DTR}, {"rts=", UW_LINE_RTS}, {"both=", BOTH}};
    static const char *const flows[] = {"noflow", "rtscts", "xonxoff"};
    struct serial_plan plan = {0};

    if (strchr(step, ':'))
        return set_rate(o, step);
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(step, flows[i]) == 0)
            return set_flow(o, i);
    for (size_t i = 0; i < 3; i++)
        if (strncmp(step, outputs[i].name, strlen(outputs[i].name)) == 0) {
            set_lines(o, step[strlen(outputs[i].name)] == '1' ? BOTH : 0, outputs[i].lines);
            return 1;
        }
    if (strncmp(step, "break=", 6) == 0) {
        o->chip.driver->set_break(&o->chip, step[6] == '1', &plan);
        run(o, &plan, NULL);
    } else if (strcmp(step, "open") == 0) {
        ours_open(o);
    } else if (strcmp(step, "close") == 0) {
        ours_close(o);
    } else {
        assert_string_equal(step, "bind"); /* there is no binding of ours */
    }
    return 1;
}

static void
ours_begin(struct ours *o, const char *chip)
{
    struct uw_device_descriptor descriptor;
    struct uw_config *config = NULL;

    memset(o, 0, sizeof(*o));
    bench_open(&o->bench, chip);
    assert_int_equal(uw_device_descriptor_parse(o->bench.device->device, 18, &descriptor), 0);
    assert_int_equal(
        uw_config_parse(o->bench.device->configs[0], o->bench.device->config_size[0], &config), 0);
    assert_int_equal(serial_chip_at(&descriptor, config, o->bench.device->uart_count - 1, &o->chip),
                     1);
    uw_config_free(config);
}

/* ---- the comparison ---- */

static void
differ(const char *chip, const char *step, const char *what, uint64_t theirs, uint64_t ours)
{
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
        struct difference *d = &differences[i];

        if (strcmp(d->chip, chip) == 0 && strcmp(d->step, step) == 0 &&
            strcmp(d->what, what) == 0) {
            d->seen = 1;
            return;
        }
    }
    fail_msg("%s [%s]: %s is %llu after the kernel's requests, %llu after ours", chip, step, what,
             (unsigned long long)theirs, (unsigned long long)ours);
}

static void
compare(const char *chip, const char *step, const struct sim_uart *theirs,
        const struct sim_uart *ours)
{
    const struct {
        const char *what;
        uint64_t theirs, ours;
    } rows[] = {
        {"rate", theirs->near.rate, ours->near.rate},
        {"data bits", theirs->near.data_bits, ours->near.data_bits},
        {"parity", theirs->near.parity, ours->near.parity},
        {"stop bits", theirs->near.stop_bits, ours->near.stop_bits},
        {"outputs", theirs->outputs, ours->outputs},
        {"break", (uint64_t)theirs->breaking, (uint64_t)ours->breaking},
        {"flow", theirs->flow, ours->flow},
        {"xon", theirs->flow == SIM_FLOW_XON_XOFF ? theirs->xon : 0,
         ours->flow == SIM_FLOW_XON_XOFF ? ours->xon : 0},
        {"xoff", theirs->flow == SIM_FLOW_XON_XOFF ? theirs->xoff : 0,
         ours->flow == SIM_FLOW_XON_XOFF ? ours->xoff : 0},
        {"deaf", (uint64_t)theirs->deaf, (uint64_t)ours->deaf},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].theirs != rows[i].ours)
            differ(chip, step, rows[i].what, rows[i].theirs, rows[i].ours);
}

/* The end of a section: the kernel's part of it was done. */
static void
end_step(const char *chip, const char *step, const struct bench *kernel, struct ours *o)
{
    if (!take_step(o, step)) {
        differ(chip, step, "refused", 0, 1);
        return; /* the next step has to bring both together again */
    }
    if (strcmp(step, "bind") != 0)
        compare(chip, step, kernel->uart, o->bench.uart);
}

static void
compare_chip(const char *chip)
{
    char path[256], line[512], step[64] = "";
    struct bench kernel;
    struct ours o;
    unsigned steps = 0;
    FILE *f;

    snprintf(path, sizeof(path), VECTORS "/%s.txt", chip);
    f = fopen(path, "r");
    assert_non_null(f);
    bench_open(&kernel, chip);
    ours_begin(&o, chip);
    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '[') {
            if (steps++)
                end_step(chip, step, &kernel, &o);
            snprintf(step, sizeof(step), "%.*s", (int)strcspn(line + 1, "]"), line + 1);
        } else if (line[0] != '#') {
            kernel_request(&kernel, line, steps < 3);
        }
    }
    end_step(chip, step, &kernel, &o);
    assert_string_equal(step, "close");
    assert_true(steps > 15);
    fclose(f);
    uw_sim_free(kernel.sim);
    uw_sim_free(o.bench.sim);
}

static void
test_in_effect_as_the_kernel(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++)
        compare_chip(chips[i]);
}

static void
test_every_difference_is_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++)
        if (!differences[i].seen)
            fail_msg("%s [%s] %s is no difference any more (%s)", differences[i].chip,
                     differences[i].step, differences[i].what, differences[i].reason);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_effect_as_the_kernel),
        cmocka_unit_test(test_every_difference_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
