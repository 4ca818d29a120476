/*
 * message.c - RFC 5424, and what ESP-IDF writes into it
 *
 *     <PRI>1 SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
 *
 * What is not of that form keeps its priority if it has one and is text from there on. The text of
 * an ESP-IDF board is "L (UPTIME) TAG: ...", often coloured; its level is better than the
 * priority's, which the bridge guesses from the first byte: that of an escape sequence.
 */
#include <string.h>

#include <usbwire/syslog.h>

#include "base/clean.h"

#define PRIORITY_MAX 191
#define TAG_MAX      64u

/* What is not yet read. */
struct rest {
    const char *p;
    size_t n;
};

/* Where the strings go. */
struct storage {
    char *p;
    size_t n;
};

static const char *
keep(struct storage *s, const char *p, size_t n)
{
    char *text = s->p;
    size_t length;

    if (s->n == 0)
        return "";
    length = uw_clean_text(text, s->n, p, n);
    /* The last byte stays: it ends the strings for which there was no room. */
    if (length + 1 == s->n)
        length--;
    s->p += length + 1;
    s->n -= length + 1;
    return text;
}

static int
read_priority(struct rest *rest, int *ret_priority)
{
    size_t i = 1;
    int value = 0;

    if (rest->n == 0 || rest->p[0] != '<')
        return 0;
    while (i < rest->n && i < 4 && rest->p[i] >= '0' && rest->p[i] <= '9')
        value = value * 10 + (rest->p[i++] - '0');
    if (i == 1 || i == rest->n || rest->p[i] != '>' || value > PRIORITY_MAX)
        return 0;
    rest->p += i + 1;
    rest->n -= i + 1;
    *ret_priority = value;
    return 1;
}

/* A token and the space behind it. */
static int
read_token(struct rest *rest, struct rest *ret_token)
{
    const char *space = memchr(rest->p, ' ', rest->n);

    if (!space || space == rest->p)
        return 0;
    *ret_token = (struct rest){rest->p, (size_t)(space - rest->p)};
    rest->n -= ret_token->n + 1;
    rest->p = space + 1;
    return 1;
}

/* Where one element "[...]" at p ends; in quotes, \ takes the next byte with it. */
static size_t
element_length(const char *p, size_t n)
{
    int quoted = 0;

    for (size_t i = 1; i < n; i++) {
        if (quoted && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            quoted = !quoted;
        else if (p[i] == ']' && !quoted)
            return i + 1;
    }
    return 0;
}

static int
read_structured_data(struct rest *rest, struct rest *ret_data)
{
    size_t length = 0, one;

    if (rest->n && rest->p[0] == '-')
        length = 1;
    while (length < rest->n && rest->p[length] == '[') {
        one = element_length(rest->p + length, rest->n - length);
        if (!one)
            return 0;
        length += one;
    }
    if (length == 0 || (length < rest->n && rest->p[length] != ' '))
        return 0;
    *ret_data = (struct rest){rest->p, length};
    rest->p += length;
    rest->n -= length;
    if (rest->n) {
        rest->p++;
        rest->n--;
    }
    return 1;
}

static const char *
keep_token(struct storage *s, const struct rest *token)
{
    return token->n == 1 && token->p[0] == '-' ? NULL : keep(s, token->p, token->n);
}

/* The header after the priority; leaves everything as it is when it is not all there. */
static void
read_header(struct rest *rest, struct storage *s, struct uw_syslog_message *m)
{
    struct rest at = *rest, tokens[5], data;

    if (at.n < 2 || memcmp(at.p, "1 ", 2) != 0)
        return;
    at.p += 2;
    at.n -= 2;
    for (int i = 0; i < 5; i++)
        if (!read_token(&at, &tokens[i]))
            return;
    if (!read_structured_data(&at, &data))
        return;
    m->timestamp = keep_token(s, &tokens[0]);
    m->hostname = keep_token(s, &tokens[1]);
    m->app_name = keep_token(s, &tokens[2]);
    m->procid = keep_token(s, &tokens[3]);
    m->msgid = keep_token(s, &tokens[4]);
    m->structured_data = keep_token(s, &data);
    *rest = at;
}

static void
trim(struct rest *rest)
{
    if (rest->n >= 3 && memcmp(rest->p, "\xef\xbb\xbf", 3) == 0) {
        rest->p += 3;
        rest->n -= 3;
    }
    while (rest->n && strchr("\r\n", rest->p[rest->n - 1])) /* and NUL, strchr's third */
        rest->n--;
}

/* "L (UPTIME) TAG: TEXT", taken apart in place. */
static void
read_esp(char *text, struct uw_syslog_message *m)
{
    char *uptime = text + 3, *tag, *colon;
    size_t n;

    if (!text[0] || !strchr("EWIDV", text[0]) || text[1] != ' ' || text[2] != '(')
        return;
    n = strspn(uptime, "0123456789:. -");
    if (n == 0 || strncmp(uptime + n, ") ", 2) != 0)
        return;
    tag = uptime + n + 2;
    colon = strchr(tag, ':');
    if (!colon || colon == tag || (size_t)(colon - tag) > TAG_MAX ||
        memchr(tag, '\n', (size_t)(colon - tag)))
        return;
    uptime[n] = *colon = '\0';
    m->level = text[0];
    m->uptime = uptime;
    m->tag = tag;
    m->text = colon[1] == ' ' ? colon + 2 : colon + 1;
}

void
uw_syslog_parse(const void *bytes, size_t size, char *storage, size_t storage_size,
                struct uw_syslog_message *ret_message)
{
    static const char levels[] = "EEEEWIID"; /* by severity */
    struct uw_syslog_message m = {.raw = bytes, .raw_size = size, .priority = -1};
    struct storage s = {storage, storage_size};
    struct rest rest = {(const char *)bytes, size};
    char *text;

    if (storage_size)
        storage[0] = '\0';
    if (read_priority(&rest, &m.priority)) {
        m.level = levels[m.priority & 7];
        read_header(&rest, &s, &m);
    }
    trim(&rest);
    text = s.p;
    m.text = keep(&s, rest.p, rest.n);
    if (m.text == text)
        read_esp(text, &m);
    *ret_message = m;
}
