/*
 * url.c - a serial port by URL
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/find.h>

#include "base/fault.h"
#include "serial/url.h"

#define SCHEME   "usbip://"
#define WAIT_MAX 86400L

static int
hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* One KEY or VALUE up to one of `ends`, %XX decoded. Returns where it ended, NULL: malformed. */
static const char *
read_part(const char *s, const char *ends, char *buf, size_t size)
{
    size_t n = 0;

    for (; *s && !strchr(ends, *s); s++) {
        char c = *s;

        if (c == '%') {
            int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);

            if (low < 0 || high * 16 + low == 0)
                return NULL;
            c = (char)(high * 16 + low);
            s += 2;
        }
        if (n + 1 >= size)
            return NULL;
        buf[n++] = c;
    }
    buf[n] = '\0';
    return s;
}

static int
read_number(const char *s, int base, long max, int *ret)
{
    char *end;
    long n = strtol(s, &end, base);

    if (end == s || *end || *s == '-' || *s == '+' || n < 0 || n > max)
        return -1;
    *ret = (int)n;
    return 0;
}

/* ---- values ---- */

static int
read_vid(struct serial_url *u, const char *s)
{
    return read_number(s, 16, 0xffff, &u->choice.vid);
}

static int
read_pid(struct serial_url *u, const char *s)
{
    return read_number(s, 16, 0xffff, &u->choice.pid);
}

static int
read_serial(struct serial_url *u, const char *s)
{
    int n = snprintf(u->serial, sizeof(u->serial), "%s", s);

    u->choice.serial = u->serial;
    return n > 0 && (size_t)n < sizeof(u->serial) ? 0 : -1;
}

static int
read_wait(struct serial_url *u, const char *s)
{
    int seconds;

    if (read_number(s, 10, WAIT_MAX, &seconds) < 0)
        return -1;
    u->wait = uw_msec((uint32_t)seconds * 1000u);
    return 0;
}

static int
read_interface(struct serial_url *u, const char *s)
{
    return read_number(s, 10, 255, &u->config.interface);
}

static int
read_baud(struct serial_url *u, const char *s)
{
    return read_number(s, 10, 100000000, &u->config.baud);
}

static int
read_latency(struct serial_url *u, const char *s)
{
    return read_number(s, 10, 255, &u->config.latency);
}

static int
read_dtr(struct serial_url *u, const char *s)
{
    return read_number(s, 10, 1, &u->config.dtr);
}

static int
read_rts(struct serial_url *u, const char *s)
{
    return read_number(s, 10, 1, &u->config.rts);
}

static int
read_read_ahead(struct serial_url *u, const char *s)
{
    return read_number(s, 10, 1, &u->config.read_ahead);
}

static int
find_word(const char *const *words, const char *s)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], s) == 0)
            return i;
    return -1;
}

static int
read_flow(struct serial_url *u, const char *s)
{
    static const char *const words[] = {"none", "rtscts", "xonxoff", NULL};

    u->config.flow = find_word(words, s);
    return u->config.flow;
}

static int
read_format(struct serial_url *u, const char *s)
{
    return uw_serial_config_format(&u->config, s);
}

static const struct {
    const char *name;
    int (*read)(struct serial_url *u, const char *value);
} keys[] = {
    {"vid", read_vid},       {"pid", read_pid},         {"serial", read_serial},
    {"wait", read_wait},     {"baud", read_baud},       {"interface", read_interface},
    {"format", read_format}, {"flow", read_flow},       {"dtr", read_dtr},
    {"rts", read_rts},       {"latency", read_latency}, {"readahead", read_read_ahead},
};

static int
read_key(struct serial_url *u, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i].name, name) == 0)
            return keys[i].read(u, value);
    return -1;
}

/* What is behind the question mark. Returns the part that makes no sense, or NULL. */
static const char *
read_query(struct serial_url *u, const char *s)
{
    char name[16], value[128];

    while (*s) {
        const char *start = s;

        s = read_part(s, "=&", name, sizeof(name));
        if (!s || *s != '=')
            return start;
        s = read_part(s + 1, "&", value, sizeof(value));
        if (!s || read_key(u, name, value) < 0)
            return start;
        s += *s == '&';
    }
    return NULL;
}

int
serial_url_parse(const char *url, struct serial_url *u, struct uw_fault *fault)
{
    size_t n = strcspn(url, "?");
    const char *wrong = NULL;

    memset(u, 0, sizeof(*u));
    uw_choice_init(&u->choice);
    uw_serial_config_init(&u->config);
    if (strncmp(url, SCHEME, strlen(SCHEME)) != 0 || n >= sizeof(u->address))
        wrong = url;
    else
        memcpy(u->address, url, n);
    if (!wrong && url[n] == '?')
        wrong = read_query(u, url + n + 1);
    if (!wrong)
        return 0;
    uw_fault_set(fault, UW_ERROR_INVALID, "open '%s'", url);
    uw_fault_came(fault, 0, "'%s' makes no sense", wrong);
    uw_fault_advice(fault,
                    "usbip://HOST[:PORT][/BUSID][?KEY=VALUE&...] with the keys vid, pid, "
                    "serial, wait, interface, baud, format, flow, dtr, rts, latency, readahead");
    return UW_ERROR_INVALID;
}

/* ---- opening ---- */

static int
either(int first, int second)
{
    return first >= 0 ? first : second;
}

/* What the URL says counts before `config`. */
static void
complete(struct uw_serial_config *c, const struct uw_serial_config *from)
{
    c->baud = either(c->baud, from->baud);
    c->data_bits = either(c->data_bits, from->data_bits);
    c->parity = either(c->parity, from->parity);
    c->stop_bits = either(c->stop_bits, from->stop_bits);
    c->flow = either(c->flow, from->flow);
    c->xon = from->xon;
    c->xoff = from->xoff;
    c->dtr = either(c->dtr, from->dtr);
    c->rts = either(c->rts, from->rts);
    c->latency = either(c->latency, from->latency);
    c->interface = either(c->interface, from->interface);
    c->buffer = from->buffer;
    c->poll_lines = from->poll_lines;
    c->hang_up = from->hang_up;
    c->read_ahead = either(c->read_ahead, from->read_ahead);
}

int
uw_serial_open(struct uw_loop *loop, const char *url, const struct uw_serial_config *config,
               struct uw_serial **ret_port, struct uw_fault *fault)
{
    struct uw_server *server = NULL;
    struct uw_device *device = NULL;
    struct serial_url u;
    int r = serial_url_parse(url, &u, fault);

    if (r == 0)
        r = uw_server_new(loop, u.address, 0, &server, fault);
    if (r < 0)
        return r;
    u.choice.busid = uw_server_busid(server);
    if (config)
        complete(&u.config, config);
    r = uw_find(server, &u.choice, u.wait, uw_never(), &device, NULL, fault);
    if (r == 0)
        r = uw_serial_open_device(device, &u.config, ret_port, fault);
    uw_device_free(device);
    uw_server_free(server);
    return r;
}
