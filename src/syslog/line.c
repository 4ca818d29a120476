/*
 * line.c - a message for a terminal
 */
#include <string.h>

#include <usbwire/syslog.h>

#include "base/wall.h"

#define INDENT "    "

/* A string being put together, cut when full. */
struct line {
    char *buf;
    size_t size, length;
};

static void
add_bytes(struct line *l, const char *s, size_t n)
{
    if (l->length + n >= l->size)
        n = l->size - l->length - 1;
    memcpy(l->buf + l->length, s, n);
    l->length += n;
}

static void
add(struct line *l, const char *s)
{
    add_bytes(l, s, strlen(s));
}

/* A newline in the text must not look like the beginning of another message. */
static void
add_text(struct line *l, const char *s)
{
    size_t n = strcspn(s, "\n");

    add_bytes(l, s, n);
    while (s[n]) {
        s += n + 1;
        n = strcspn(s, "\n");
        add(l, "\n" INDENT);
        add_bytes(l, s, n);
    }
}

static const char *
colour_of(const struct uw_syslog_message *m)
{
    switch (m->level) {
    case 'E': return "\033[31m";
    case 'W': return "\033[33m";
    case 'I': return "\033[32m";
    default: return "";
    }
}

/* No half character at the end of what was cut. */
static void
end_at_character(struct line *l, size_t room)
{
    size_t n = l->length;

    if (n < room)
        return;
    while (n && ((unsigned char)l->buf[n - 1] & 0xc0) == 0x80)
        n--;
    if (n && (unsigned char)l->buf[n - 1] >= 0xc0)
        n--;
    l->length = n;
}

size_t
uw_syslog_line(const struct uw_syslog_message *m, int colour, char *buf, size_t size)
{
    static const char plain[] = "\033[0m";
    const char *paint = colour ? colour_of(m) : "";
    size_t reserve = *paint ? sizeof(plain) - 1 : 0;
    struct line l = {buf, size - reserve, 0};
    char clock[UW_WALL_TEXT_SIZE], level[] = {' ', m->level, '\0'};

    if (size == 0)
        return 0;
    if (size <= reserve + strlen(paint)) {
        buf[0] = '\0';
        return 0;
    }
    add(&l, paint);
    if (m->wall_us) {
        add(&l, uw_wall_text(m->wall_us, clock));
        add(&l, " ");
    }
    add(&l, m->source ? m->source : m->hostname ? m->hostname : "-");
    if (m->level)
        add(&l, level);
    if (m->uptime) {
        add(&l, " (");
        add(&l, m->uptime);
        add(&l, ")");
    }
    if (m->tag || m->app_name) {
        add(&l, " ");
        add(&l, m->tag ? m->tag : m->app_name);
        add(&l, ":");
    }
    if (m->flags & UW_SYSLOG_JUNK)
        add(&l, " (not a syslog message)");
    add(&l, " ");
    add_text(&l, m->text);
    if (m->flags & UW_SYSLOG_CUT)
        add(&l, " (cut)");
    end_at_character(&l, size - reserve - 1);
    l.size = size;
    if (*paint)
        add(&l, plain);
    buf[l.length] = '\0';
    return l.length;
}
