/*
 * fail.c - faults on purpose: "KIND:KEY=VALUE,..." (usbwire-serve(1))
 */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "sim/sim.h"
#include "wire/cmd.h"

static const char *const kinds[] = {
    [FAIL_STALL] = "stall",         [FAIL_DROP] = "drop",         [FAIL_DELAY] = "delay",
    [FAIL_SHORT] = "short",         [FAIL_OVERLONG] = "overlong", [FAIL_GONE] = "gone",
    [FAIL_CLOSE] = "close",         [FAIL_LOG_CUT] = "log-cut",   [FAIL_LOG_JUNK] = "log-junk",
    [FAIL_LOG_COUNT] = "log-count",
};

#define KINDS "stall, drop, delay, short, overlong, gone, close, log-cut, log-junk or log-count"
#define KEYS  "ep, urb, after, every, count, percent, seed, ms or at"

static int
refuse(const char *spec, const char *what, const char *expected, struct uw_fault *fault)
{
    uw_fault_set(fault, UW_ERROR_INVALID, "--fail '%s'", spec);
    uw_fault_came(fault, 0, "%s", what);
    uw_fault_advice(fault, "expected is %s, as in 'stall:ep=0x81,after=10'", expected);
    return UW_ERROR_INVALID;
}

static int
number(const char *s, size_t n, uint32_t *ret_value)
{
    char text[24], *end;
    unsigned long v;

    if (n == 0 || n >= sizeof(text))
        return 0;
    memcpy(text, s, n);
    text[n] = '\0';
    v = strtoul(text, &end, 0);
    if (*end || text[0] < '0' || text[0] > '9' || v > UINT32_MAX)
        return 0;
    *ret_value = (uint32_t)v;
    return 1;
}

/* Where an answer is cut: a number of bytes, or a word. */
static int
place(const char *s, size_t n, uint32_t *ret_value)
{
    if (n == 6 && memcmp(s, "header", n) == 0)
        *ret_value = UW_PDU_SIZE / 2;
    else if (n == 7 && memcmp(s, "payload", n) == 0)
        *ret_value = UW_PDU_SIZE + 1;
    else
        return number(s, n, ret_value);
    return 1;
}

static int
is_word(const char *word, const char *s, size_t n)
{
    return strlen(word) == n && memcmp(word, s, n) == 0;
}

/* One KEY=VALUE. NULL, or what was expected. */
static const char *
set(struct sim_fail *f, const char *s, size_t n)
{
    const struct {
        const char *key;
        uint32_t *value;
    } keys[] = {{"after", &f->after},     {"every", &f->every}, {"count", &f->count},
                {"percent", &f->percent}, {"ms", &f->ms},       {"seed", &f->random}};
    const char *eq = memchr(s, '=', n);
    size_t key = eq ? (size_t)(eq - s) : n;
    uint32_t value;

    if (eq && is_word("at", s, key))
        return place(eq + 1, n - key - 1, &f->at) ? NULL : "at=header, at=payload or at=BYTES";
    if (!eq || !number(eq + 1, n - key - 1, &value))
        return "KEY=NUMBER";
    if (is_word("ep", s, key)) {
        f->endpoint = (int)(value & 0xffu);
        return value > 0xff ? "an endpoint address below 0x100" : NULL;
    }
    if (is_word("urb", s, key)) {
        f->after = value - 1;
        f->count = 1;
        return value == 0 ? "a urb counted from 1" : NULL;
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (is_word(keys[i].key, s, key)) {
            *keys[i].value = value;
            return f->percent > 100 ? "a percentage from 0 to 100" : NULL;
        }
    return KEYS;
}

int
sim_fail_parse(const char *spec, struct sim_fail **ret_fail, struct uw_fault *fault)
{
    size_t n = strcspn(spec, ":"), kind = 0;
    const char *at = spec + n;
    struct sim_fail *f;

    while (kind < sizeof(kinds) / sizeof(kinds[0]) &&
           (strlen(kinds[kind]) != n || memcmp(kinds[kind], spec, n) != 0))
        kind++;
    if (kind == sizeof(kinds) / sizeof(kinds[0]))
        return refuse(spec, "the kind of fault is unknown", KINDS, fault);
    f = calloc(1, sizeof(*f));
    if (!f)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "--fail '%s'", spec);
    uw_list_init(&f->link);
    f->kind = (enum sim_fail_kind)kind;
    f->endpoint = -1;
    f->percent = 100;
    f->random = 1;
    f->ms = 100;
    while (*at) {
        const char *expected;

        at++;
        n = strcspn(at, ",");
        expected = set(f, at, n);
        if (expected) {
            free(f);
            return refuse(spec, "a part of it makes no sense", expected, fault);
        }
        at += n;
    }
    f->random |= f->random == 0; /* xorshift stays at 0 */
    *ret_fail = f;
    return 0;
}

static int
strikes(struct sim_fail *f, uint8_t endpoint)
{
    if (f->endpoint >= 0 && f->endpoint != endpoint)
        return 0;
    if (f->seen++ < f->after || (f->count && f->done >= f->count))
        return 0;
    if (f->every && (f->seen - f->after - 1) % f->every)
        return 0;
    if (sim_random(&f->random) % 100u >= f->percent)
        return 0;
    f->done++;
    return 1;
}

static struct sim_fail *
find_striking(struct uw_sim *sim, uint8_t endpoint, int of_log)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->fails)
    {
        struct sim_fail *f = UW_CONTAINER(pos, struct sim_fail, link);

        if ((f->kind >= FAIL_LOG_CUT) == of_log && strikes(f, endpoint))
            return f;
    }
    return NULL;
}

struct sim_fail *
sim_fail_strikes(struct uw_sim *sim, uint8_t endpoint)
{
    return find_striking(sim, endpoint, 0);
}

struct sim_fail *
sim_fail_strikes_log(struct uw_sim *sim)
{
    return find_striking(sim, 0, 1);
}
