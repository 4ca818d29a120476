/*
 * plans.c - what a driver plans, as text
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "plans.h"

const char *
plan_text(const struct serial_plan *plan)
{
    static char text[2048];
    size_t n = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < plan->count; i++) {
        const struct serial_request *q = &plan->requests[i];

        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%02x %02x %04x %04x", i ? "; " : "",
                              q->type, q->request, q->value, q->index);
        if (q->length)
            n += (size_t)snprintf(text + n, sizeof(text) - n, q->type & 0x80 ? " +%u" : " =",
                                  q->length);
        for (unsigned k = 0; k < q->length && !(q->type & 0x80); k++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x", q->data[k]);
    }
    return text;
}

struct serial_line
plan_line(unsigned baud, const char *format)
{
    static const char parities[] = "NOEMS";
    struct serial_line l = {.baud = baud, .xon = 0x11, .xoff = 0x13, .latency = 16};

    l.data_bits = (unsigned)(format[0] - '0');
    l.parity = (unsigned)(strchr(parities, format[1]) - parities);
    l.stop_bits = format[2] == '2' ? UW_STOP_2 : format[3] == '.' ? UW_STOP_1_5 : UW_STOP_1;
    return l;
}

const char *
plan_setting(struct serial_chip *chip, const struct serial_line *from, struct serial_line to)
{
    struct serial_plan plan = {0};
    const char *why = NULL;

    if (chip->driver->set_line(chip, from, &to, &plan, &why) < 0) {
        assert_non_null(why);
        return "refused";
    }
    return plan_text(&plan);
}

const char *
plan_lines(struct serial_chip *chip, unsigned set, unsigned mask)
{
    struct serial_plan plan = {0};

    chip->driver->set_lines(chip, set, mask, &plan);
    return plan_text(&plan);
}

const char *
plan_break(struct serial_chip *chip, int on)
{
    struct serial_plan plan = {0};

    chip->driver->set_break(chip, on, &plan);
    return plan_text(&plan);
}

const char *
plan_purge(struct serial_chip *chip, unsigned buffers)
{
    struct serial_plan plan = {0};

    chip->driver->purge(chip, buffers, &plan);
    return plan_text(&plan);
}

const char *
plan_open(struct serial_chip *chip)
{
    struct serial_plan plan = {0};

    chip->driver->open(chip, &plan);
    return plan_text(&plan);
}
