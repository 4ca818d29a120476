/*
 * choice.c - servers and devices from the environment and usbwire.conf
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libusb/choice.h"
#include "libusb/log.h"

#define BLANKS " \t\r\n"

static void
add_server(struct choice *c, const char *word)
{
    for (unsigned i = 0; i < c->num_servers; i++)
        if (strcmp(c->servers[i], word) == 0)
            return;
    if (c->num_servers == CHOICE_SERVERS) {
        log_tell("more than %u servers; '%s' is left out", CHOICE_SERVERS, word);
        return;
    }
    c->servers[c->num_servers] = strdup(word);
    if (c->servers[c->num_servers])
        c->num_servers++;
}

/* Four hexadecimal digits, perhaps after 0x, and then `end`, or "*": any. Returns what is behind,
 * NULL if it is not. */
static const char *
read_id(const char *s, char end, int *ret_id)
{
    unsigned id = 0;

    if (s[0] == '*' && s[1] == end) {
        *ret_id = -1;
        return s + 1;
    }
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        s += 2;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)s[i]))
            return NULL;
        id = id << 4 |
             (unsigned)(isdigit((unsigned char)s[i]) ? s[i] - '0'
                                                     : tolower((unsigned char)s[i]) - 'a' + 10);
    }
    if (s[4] != end)
        return NULL;
    *ret_id = (int)id;
    return s + 4;
}

/* VID:PID or VID:PID:SERIAL. */
static int
read_ids(const char *word, struct choice_selector *s)
{
    const char *pid = read_id(word, ':', &s->vid), *rest;

    if (!pid)
        return 0;
    pid++;
    rest = read_id(pid, '\0', &s->pid);
    if (rest)
        return 1;
    rest = read_id(pid, ':', &s->pid);
    if (!rest || !rest[1])
        return 0;
    snprintf(s->serial, sizeof(s->serial), "%s", rest + 1);
    return 1;
}

static void
add_selector(struct choice *c, const char *word)
{
    struct choice_selector s = {.vid = -1, .pid = -1};

    if (strcmp(word, "all") == 0) {
        c->all = 1;
        return;
    }
    if (!read_ids(word, &s)) {
        if (strchr(word, ':') || strlen(word) >= sizeof(s.busid)) {
            log_tell("'%s' chooses no device; what does is BUSID, VID:PID, VID:PID:SERIAL or all",
                     word);
            return;
        }
        s.vid = s.pid = -1;
        snprintf(s.busid, sizeof(s.busid), "%s", word);
    }
    if (c->num_selectors == CHOICE_SELECTORS) {
        log_tell("more than %u devices chosen; '%s' is left out", CHOICE_SELECTORS, word);
        return;
    }
    c->selectors[c->num_selectors++] = s;
}

/* Words between commas, without the blanks around them; a path may have some within. */
static void
each_word(struct choice *c, const char *text, void (*add)(struct choice *c, const char *word))
{
    char *copy = strdup(text), *rest = copy, *word;

    while (copy && (word = strtok_r(rest, ",", &rest))) {
        size_t n;

        word += strspn(word, BLANKS);
        for (n = strlen(word); n && strchr(BLANKS, word[n - 1]); n--)
            ;
        word[n] = '\0';
        if (n)
            add(c, word);
    }
    free(copy);
}

/* "KEY = VALUE": the value, when the key is this one. */
static const char *
value_of(const char *line, const char *key)
{
    size_t n = strlen(key);

    line += strspn(line, " \t");
    if (strncmp(line, key, n) != 0)
        return NULL;
    line += n;
    line += strspn(line, " \t");
    return *line == '=' ? line + 1 : NULL;
}

static FILE *
open_file(char path[PATH_MAX])
{
    const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
    FILE *f;

    if (config && *config == '/')
        snprintf(path, PATH_MAX, "%s/usbwire.conf", config);
    else if (home && *home == '/')
        snprintf(path, PATH_MAX, "%s/.config/usbwire.conf", home);
    else
        return NULL;
    f = fopen(path, "re");
    if (!f && errno == EACCES)
        log_tell("%s: %s", path, strerror(errno));
    return f;
}

/* The devices count unless the environment names some. */
static void
read_file(struct choice *c, int devices)
{
    char path[PATH_MAX], line[1024];
    FILE *f = open_file(path);

    while (f && fgets(line, sizeof(line), f)) {
        const char *value;

        line[strcspn(line, "#\r\n")] = '\0';
        if ((value = value_of(line, "servers")))
            each_word(c, value, add_server);
        else if ((value = value_of(line, "devices")))
            each_word(c, devices ? value : "", add_selector);
        else if (line[strspn(line, BLANKS)])
            log_tell("%s: '%s' is neither 'servers = ...' nor 'devices = ...'", path, line);
    }
    if (f)
        fclose(f);
}

void
choice_read(struct choice *c)
{
    const char *servers = secure_getenv("USBWIRE_SERVERS");
    const char *devices = secure_getenv("USBWIRE_DEVICES");

    memset(c, 0, sizeof(*c));
    if (!servers)
        servers = secure_getenv("USBWIRE_HOST");
    if (servers)
        each_word(c, servers, add_server);
    if (devices)
        each_word(c, devices, add_selector);
    /* The devices of the file belong to its servers. */
    if (!servers)
        read_file(c, !devices);
}

void
choice_free(struct choice *c)
{
    for (unsigned i = 0; i < c->num_servers; i++)
        free(c->servers[i]);
    c->num_servers = 0;
}

const struct choice_selector *
choice_find(const struct choice *c, const struct uw_device_info *info,
            const struct choice_selector *after)
{
    const struct choice_selector *s = after ? after + 1 : c->selectors;

    for (; s < c->selectors + c->num_selectors; s++)
        if ((!s->busid[0] || strcmp(s->busid, info->busid) == 0) &&
            (s->vid < 0 || s->vid == info->vid) && (s->pid < 0 || s->pid == info->pid))
            return s;
    return NULL;
}
