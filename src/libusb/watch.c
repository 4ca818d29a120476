/*
 * watch.c - letting a person see what an unmodified program does
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/monitor.h>

#include "libusb/log.h"
#include "libusb/watch.h"

/* Whoever wants a capture wants to know that it is not whole. */
static void
say(void *data, int level, const char *line)
{
    (void)data;
    (void)level;
    log_tell("%s", line);
}

/* Written and ended by the library when the program ends. */
static void
start_capture(struct uw_loop *loop, const char *target)
{
    struct uw_capture_options options = {.size = sizeof(options),
                                         .log = {.level = UW_LOG_WARNING, .write = say}};
    struct uw_capture *capture;
    struct uw_fault fault;

    if (uw_capture_open(target, &options, &capture, &fault) < 0)
        log_fault(&fault);
    else if (uw_capture_attach(capture, loop) < 0)
        uw_capture_free(capture);
}

void
watch_start(struct uw_loop *loop)
{
    const char *target = secure_getenv("USBWIRE_PCAP");
    struct uw_offer *offer;

    if (target && *target && strcmp(target, "-") != 0)
        start_capture(loop, target);
    /* Where the user has no folder for it, nobody can look on. */
    if (uw_offer_new(loop, &offer) == UW_ERROR_NO_MEMORY)
        LOG_WARNING(NULL, "out of memory for monitors");
}
