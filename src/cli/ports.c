/*
 * ports.c - serial ports that are open, each with its face
 */
#include "ports.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
ports_init(struct ports *p)
{
    p->bridges = calloc(BRIDGES_MAX, sizeof(*p->bridges));
    return p->bridges ? 0 : cli_error("out of memory");
}

void
ports_free(struct ports *p)
{
    for (unsigned i = 0; i < p->count; i++)
        p->face->close(&p->bridges[i]);
    if (p->made_folder)
        (void)rmdir(p->argument); /* unless somebody else has put something there */
    /* Last what may take time, where a server does not answer. */
    for (unsigned i = 0; i < p->count; i++)
        uw_serial_free(p->bridges[i].port);
    free(p->bridges);
    p->bridges = NULL;
    p->count = 0;
}

/* A name that stays: the serial number, or else the place; and which of several ports. */
static void
label(struct bridge *b, struct uw_device *device, unsigned interface, int several)
{
    const char *name = uw_device_serial(device);

    if (!*name)
        name = uw_device_info(device)->busid;
    if (several)
        snprintf(b->label, sizeof(b->label), "%.47s-if%u", name, interface);
    else
        snprintf(b->label, sizeof(b->label), "%.47s", name);
    for (size_t n = 0; b->label[n]; n++)
        if (!isalnum((unsigned char)b->label[n]) && !strchr("-_.:", b->label[n]))
            b->label[n] = '_';
}

/* With --all: a file of its own in the directory, or the next TCP port. */
static void
place_for(const struct ports *p, const struct bridge *b, char *buf, size_t size)
{
    const char *colon = strrchr(p->argument, ':'), *port = colon ? colon + 1 : p->argument;
    unsigned long first = strtoul(port, NULL, 10);

    if (p->face == &face_pty)
        snprintf(buf, size, "%s/%s", p->argument, b->label);
    else
        snprintf(buf, size, "%.*s%lu", (int)(port - p->argument), p->argument,
                 first ? first + (unsigned)(b - p->bridges) : 0);
}

/* For who has to choose one. */
static void
print_choice(struct uw_device *device, const struct uw_serial_info *info)
{
    fprintf(stderr, "  --busid %-8s --interface %u  %s\n", uw_device_info(device)->busid,
            info->interface, info->chip);
}

void
ports_print_choices(const struct ports *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        struct uw_serial_info info;

        uw_serial_info(p->bridges[i].port, &info);
        print_choice(uw_serial_device(p->bridges[i].port), &info);
    }
}

static int
refuse(struct uw_device *device, const struct uw_fault *fault)
{
    struct uw_serial_info info;
    int code = cli_fault(fault, CLI_CHOOSING);

    if (fault->code == UW_ERROR_AMBIGUOUS || fault->code == UW_ERROR_NOT_FOUND)
        for (unsigned i = 0; uw_serial_port_at(device, i, &info); i++)
            print_choice(device, &info);
    return code;
}

int
ports_open(struct ports *p, struct uw_device *device, int interface, int several)
{
    struct bridge *b = &p->bridges[p->count];
    struct uw_serial_config config = p->config;
    struct uw_serial_info info;
    struct uw_fault fault;

    memset(b, 0, sizeof(*b));
    b->cli = p->cli;
    b->face = p->face;
    config.interface = interface;
    if (uw_serial_open_device(device, &config, &b->port, &fault) < 0)
        return refuse(device, &fault);
    p->count++;
    bridge_name(b);
    uw_serial_info(b->port, &info);
    if (!info.reads_ahead)
        cli_remark(
            p->cli,
            "%s: this server does one transfer at a time: what the device says is read only "
            "when it was written to; --read-ahead reads all the time, and then what is written "
            "waits until the device speaks",
            b->name);
    if (p->argument)
        label(b, device, info.interface, several);
    return 0;
}

int
ports_open_all(struct ports *p, struct uw_device *device)
{
    struct uw_serial_info info, second;
    int several = uw_serial_port_at(device, 1, &second), code = 0;

    for (unsigned i = 0; !code && uw_serial_port_at(device, i, &info); i++) {
        if (p->count == BRIDGES_MAX) {
            cli_remark(p->cli, "%s is left out: %u ports are open, and that is all that fit",
                       uw_device_name(device), p->count);
            break;
        }
        code = ports_open(p, device, (int)info.interface, several);
    }
    return code;
}

/* Boards often have the same serial number. Their ports are told apart by their places, all of
 * them: which of them are there does not change a name. */
static int
is_shared(const struct ports *p, unsigned which)
{
    for (unsigned i = 0; i < p->count; i++)
        if (i != which && strcmp(p->bridges[i].label, p->bridges[which].label) == 0)
            return 1;
    return 0;
}

static void
tell_apart(struct ports *p)
{
    unsigned char shared[BRIDGES_MAX];

    for (unsigned i = 0; i < p->count; i++)
        shared[i] = (unsigned char)is_shared(p, i);
    for (unsigned i = 0; i < p->count; i++) {
        struct bridge *b = &p->bridges[i];
        size_t n = strlen(b->label);

        if (shared[i])
            snprintf(b->label + n, sizeof(b->label) - n, "@%s",
                     uw_device_info(uw_serial_device(b->port))->busid);
    }
}

static int
make_folder(struct ports *p)
{
    if (p->face != &face_pty)
        return 0;
    p->made_folder = mkdir(p->argument, 0777) == 0;
    if (p->made_folder || errno == EEXIST)
        return 0;
    return cli_error("the directory %s could not be made: %s", p->argument, strerror(errno));
}

int
ports_show(struct ports *p)
{
    char place[600];
    int code = 0;

    if (!p->argument || !cli_has(p->cli, OPT_ALL)) {
        for (unsigned i = 0; !code && i < p->count; i++)
            code = p->face->open(&p->bridges[i], p->argument);
        return code;
    }
    tell_apart(p);
    code = make_folder(p);
    for (unsigned i = 0; !code && i < p->count; i++) {
        place_for(p, &p->bridges[i], place, sizeof(place));
        code = p->face->open(&p->bridges[i], place);
    }
    return code;
}
