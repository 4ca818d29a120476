#include "names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (16u << 20)

static const struct {
    uint8_t class;
    const char *name;
} classes[] = {
#define CLASS(number, name) {number, name},
#include "classes.def"
#undef CLASS
};

static const char *const places[] = {"/usr/share/misc/usb.ids", "/var/lib/usbutils/usb.ids",
                                     "/usr/share/hwdata/usb.ids"};

static struct {
    int looked_for;
    const char *wanted; /* NULL: one of places */
    char *text;         /* NULL: there is no such file */
    char **lines;       /* of it, without what ends them */
    size_t num_lines;
} ids;

/* A file as one block with a NUL behind it. */
static char *
read_text(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t len = 0, room = 0;

    while (file && !feof(file) && !ferror(file) && room < FILE_MAX) {
        char *more = realloc(text, room + (1u << 18) + 1);
        if (!more)
            break;
        text = more;
        room += 1u << 18;
        len += fread(text + len, 1, room - len, file);
        text[len] = '\0';
    }
    if (file)
        fclose(file);
    *ret_size = len;
    return text;
}

/* Cuts the text into lines. */
static void
split(size_t size)
{
    size_t room = 1, n = 0;

    for (const char *p = ids.text; (p = memchr(p, '\n', size - (size_t)(p - ids.text))); p++)
        room++;
    ids.lines = calloc(room, sizeof(*ids.lines));
    for (char *p = ids.text; ids.lines && p; n++) {
        char *end = memchr(p, '\n', size - (size_t)(p - ids.text));
        ids.lines[n] = p;
        if (end)
            *end++ = '\0';
        p = end;
    }
    ids.num_lines = ids.lines ? n : 0;
}

static void
free_text(void)
{
    free(ids.lines);
    free(ids.text);
    ids.lines = NULL;
    ids.text = NULL;
    ids.num_lines = 0;
}

static void
load(void)
{
    size_t num_places = sizeof(places) / sizeof(places[0]), size = 0;

    if (ids.looked_for)
        return;
    ids.looked_for = 1;
    if (ids.wanted)
        ids.text = read_text(ids.wanted, &size);
    for (size_t i = 0; !ids.wanted && !ids.text && i < num_places; i++)
        ids.text = read_text(places[i], &size);
    if (ids.text)
        split(size);
    atexit(free_text);
}

void
names_use(const char *path)
{
    free_text();
    ids.wanted = path ? path : "/dev/null";
    ids.looked_for = 0;
}

/*
 * The file is a tree: a line indented by one tab more belongs to the line above it. Finds the line
 * that starts with keys[0], below it the one that starts with keys[1], and so on; its name follows
 * two blanks.
 */
static int
find(const char *const keys[], unsigned num_keys, char *buf, size_t size)
{
    unsigned level = 0;

    load();
    for (size_t i = 0; i < ids.num_lines; i++) {
        const char *line = ids.lines[i];
        size_t tabs = strspn(line, "\t"), n = strlen(keys[level]);

        if (*line != '#' && *line && tabs < level)
            return 0;
        if (tabs == level && strncmp(line + tabs, keys[level], n) == 0 &&
            strncmp(line + tabs + n, "  ", 2) == 0 && ++level == num_keys) {
            snprintf(buf, size, "%s", line + tabs + n + 2);
            return 1;
        }
    }
    return 0;
}

struct key {
    char text[16];
};

static struct key key(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct key
key(const char *format, ...)
{
    struct key k;
    va_list args;

    va_start(args, format);
    vsnprintf(k.text, sizeof(k.text), format, args);
    va_end(args);
    return k;
}

/* Up to three keys; NULL ends them. */
static char *
name_of(char *buf, size_t size, const char *a, const char *b, const char *c)
{
    const char *const keys[] = {a, b, c};

    if (!find(keys, !b ? 1 : !c ? 2 : 3, buf, size))
        buf[0] = '\0';
    return buf;
}

char *
names_vendor(uint16_t vid, char *buf, size_t size)
{
    return name_of(buf, size, key("%04x", vid).text, NULL, NULL);
}

char *
names_product(uint16_t vid, uint16_t pid, char *buf, size_t size)
{
    return name_of(buf, size, key("%04x", vid).text, key("%04x", pid).text, NULL);
}

char *
names_device(uint16_t vid, uint16_t pid, char *buf, size_t size)
{
    size_t n = strlen(names_vendor(vid, buf, size));

    if (n && n + 1 < size && *names_product(vid, pid, buf + n + 1, size - n - 1))
        buf[n] = ' ';
    return buf;
}

char *
names_class(uint8_t class, char *buf, size_t size)
{
    if (*name_of(buf, size, key("C %02x", class).text, NULL, NULL))
        return buf;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (classes[i].class == class)
            snprintf(buf, size, "%s", classes[i].name);
    return buf;
}

char *
names_subclass(uint8_t class, uint8_t subclass, char *buf, size_t size)
{
    return name_of(buf, size, key("C %02x", class).text, key("%02x", subclass).text, NULL);
}

char *
names_protocol(uint8_t class, uint8_t subclass, uint8_t protocol, char *buf, size_t size)
{
    return name_of(buf, size, key("C %02x", class).text, key("%02x", subclass).text,
                   key("%02x", protocol).text);
}

char *
names_terminal(uint16_t type, char *buf, size_t size)
{
    return name_of(buf, size, key("AT %04x", type).text, NULL, NULL);
}

char *
names_country(uint8_t code, char *buf, size_t size)
{
    return name_of(buf, size, key("HCC %02x", code).text, NULL, NULL);
}

char *
names_usage_page(uint16_t page, char *buf, size_t size)
{
    return name_of(buf, size, key("HUT %02x", page).text, NULL, NULL);
}

char *
names_usage(uint16_t page, uint16_t usage, char *buf, size_t size)
{
    return name_of(buf, size, key("HUT %02x", page).text, key("%03x", usage).text, NULL);
}
