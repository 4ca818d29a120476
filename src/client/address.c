/*
 * address.c - the ways to name a server
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/server.h>

#include "base/fault.h"
#include "client/address.h"

#define URL_PREFIX  "usbip://"
#define UNIX_PREFIX "unix:"

static int
refuse(const char *text, const char *why, struct uw_fault *fault)
{
    uw_fault_set(fault, UW_ERROR_INVALID, "server address '%s'", text);
    uw_fault_came(fault, 0, "%s", why);
    uw_fault_advice(fault, "write HOST, HOST:PORT, [V6]:PORT, unix:/PATH or "
                           "usbip://HOST[:PORT][/BUSID]");
    return UW_ERROR_INVALID;
}

static int
starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static int
copy(char *dst, size_t size, const char *s, size_t n)
{
    if (n >= size)
        return 0;
    memcpy(dst, s, n);
    dst[n] = '\0';
    return 1;
}

static int
parse_port(const char *s, size_t n, uint16_t *ret_port)
{
    unsigned long v = 0;

    if (n == 0 || n > 5)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return 0;
        v = v * 10 + (unsigned long)(s[i] - '0');
    }
    if (v == 0 || v > UINT16_MAX)
        return 0;
    *ret_port = (uint16_t)v;
    return 1;
}

/* HOST, HOST:PORT, [V6], [V6]:PORT, or V6 with two colons and more. NULL, or what is wrong. */
static const char *
parse_host(const char *s, size_t n, struct uw_address *a)
{
    const char *end = s + n, *colon, *close;

    if (n && *s == '[') {
        close = memchr(s, ']', n);
        if (!close)
            return "a ']' is missing";
        if (!copy(a->host, sizeof(a->host), s + 1, (size_t)(close - s - 1)))
            return "the host is too long";
        if (close + 1 != end &&
            (close[1] != ':' || !parse_port(close + 2, (size_t)(end - close - 2), &a->port)))
            return "the port is not a number from 1 to 65535";
        return a->host[0] ? NULL : "the host is empty";
    }
    colon = memchr(s, ':', n);
    if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
        colon = NULL; /* an IPv6 address without brackets */
    if (!copy(a->host, sizeof(a->host), s, colon ? (size_t)(colon - s) : n))
        return "the host is too long";
    if (colon && !parse_port(colon + 1, (size_t)(end - colon - 1), &a->port))
        return "the port is not a number from 1 to 65535";
    if (strpbrk(a->host, " \t\r\n/@?#"))
        return "the host holds a character that no host name has";
    return a->host[0] ? NULL : "the host is empty";
}

static const char *
parse_url(const char *s, struct uw_address *a)
{
    size_t n = strcspn(s, "/");

    if (s[n] == '/' && s[n + 1]) {
        if (strchr(s + n + 1, '/') ||
            !copy(a->busid, sizeof(a->busid), s + n + 1, strlen(s + n + 1)))
            return "what follows the host is no bus id";
    }
    return parse_host(s, n, a);
}

int
uw_address_parse(const char *text, uint16_t port, struct uw_address *ret_address,
                 struct uw_fault *fault)
{
    struct uw_address a = {.port = port ? port : UW_DEFAULT_PORT};
    const char *wrong = NULL;

    if (!text || !*text)
        return refuse(text ? text : "", "it is empty", fault);
    if (starts_with(text, UNIX_PREFIX)) {
        const char *path = text + strlen(UNIX_PREFIX);

        if (!*path || !copy(a.path, sizeof(a.path), path, strlen(path)))
            return refuse(text, "the path is empty or longer than 107 bytes", fault);
        snprintf(a.name, sizeof(a.name), UNIX_PREFIX "%s", a.path);
        *ret_address = a;
        return 0;
    }
    if (starts_with(text, URL_PREFIX))
        wrong = parse_url(text + strlen(URL_PREFIX), &a);
    else if (strstr(text, "://"))
        wrong = "only usbip:// URLs are known";
    else
        wrong = parse_host(text, strlen(text), &a);
    if (wrong)
        return refuse(text, wrong, fault);
    snprintf(a.name, sizeof(a.name), strchr(a.host, ':') ? "[%s]:%u" : "%s:%u", a.host,
             (unsigned)a.port);
    *ret_address = a;
    return 0;
}
