/*
 * alike - says what a libusb answers where there is no device, to be compared with another's
 *
 *   alike answers       what the calls return, a line each
 *   alike log SETTING...  which messages reach whom; each SETTING is one of settings[]
 *
 * What depends on the version or on the system is left out: texts of languages, numbers of
 * descriptors. What crashes libusb is, too.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libusb.h>

#define SHOW(call) printf("%s = %d\n", #call, (int)(call))

static struct timeval zero = {0, 0}, little = {0, 1000}, negative = {-1, 0}, large = {0, 1000000};
static int answer = 1;

static void
names(void)
{
    const int capabilities[] = {0, 1, 2, 0x100, 0x101, 0x102, 0x7777};

    for (int i = -101; i < 9; i++)
        printf("%d: %s, %s\n", i, libusb_error_name(i), libusb_strerror(i));
    for (unsigned i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
        printf("capability 0x%x: %d\n", (unsigned)capabilities[i],
               libusb_has_capability((uint32_t)capabilities[i]) != 0);
    printf("version %d, rc '%s'\n", libusb_get_version()->major, libusb_get_version()->rc);
}

static void
locales(void)
{
    static const char *const words[] = {"en", "EN", "en-US", "en_GB.UTF-8", "En.utf8", "english",
                                        "zz", "e",  "",      "1",           "en:",     "C"};

    SHOW(libusb_setlocale(NULL));
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        printf("locale '%s': %d\n", words[i], libusb_setlocale(words[i]));
}

static void
options(libusb_context *ctx)
{
    SHOW(libusb_set_option(ctx, LIBUSB_OPTION_LOG_LEVEL, 0));
    SHOW(libusb_set_option(ctx, LIBUSB_OPTION_LOG_LEVEL, -1));
    SHOW(libusb_set_option(ctx, LIBUSB_OPTION_LOG_LEVEL, 5));
    SHOW(libusb_set_option(ctx, LIBUSB_OPTION_NO_DEVICE_DISCOVERY));
    SHOW(libusb_set_option(ctx, (enum libusb_option)4));
    SHOW(libusb_set_option(ctx, (enum libusb_option) - 1));
    if (ctx)
        SHOW(libusb_set_option(ctx, LIBUSB_OPTION_USE_USBDK));
    libusb_set_debug(ctx, 99);
    libusb_set_debug(ctx, -99);
}

static void
lists(libusb_context *ctx)
{
    libusb_device **list = NULL;

    SHOW(libusb_get_device_list(ctx, &list));
    SHOW(list && !list[0]);
    libusb_free_device_list(list, 1);
    libusb_free_device_list(NULL, 1);
    SHOW(libusb_open_device_with_vid_pid(ctx, 0x1209, 3) != NULL);
    libusb_unref_device(NULL);
    libusb_close(NULL);
}

static void
events(libusb_context *ctx)
{
    struct timeval t = {7, 7};

    SHOW(libusb_handle_events_timeout(ctx, &zero));
    SHOW(libusb_handle_events_timeout(ctx, &little));
    SHOW(libusb_handle_events_timeout(ctx, &negative));
    SHOW(libusb_handle_events_timeout(ctx, &large));
    SHOW(libusb_handle_events_completed(ctx, &answer));
    SHOW(libusb_handle_events_timeout_completed(ctx, &little, &answer));
    libusb_interrupt_event_handler(ctx);
    SHOW(libusb_handle_events(ctx));
    SHOW(libusb_get_next_timeout(ctx, &t));
    SHOW(t.tv_sec);
    SHOW(libusb_pollfds_handle_timeouts(ctx));
}

static void
locks(libusb_context *ctx)
{
    SHOW(libusb_event_handler_active(ctx));
    SHOW(libusb_event_handling_ok(ctx));
    SHOW(libusb_try_lock_events(ctx));
    SHOW(libusb_try_lock_events(ctx));
    SHOW(libusb_event_handler_active(ctx));
    SHOW(libusb_event_handling_ok(ctx));
    SHOW(libusb_handle_events_locked(ctx, &zero));
    SHOW(libusb_handle_events_locked(ctx, &negative));
    libusb_unlock_events(ctx);
    SHOW(libusb_event_handler_active(ctx));
    libusb_lock_events(ctx);
    SHOW(libusb_event_handler_active(ctx));
    libusb_unlock_events(ctx);
    libusb_lock_event_waiters(ctx);
    SHOW(libusb_wait_for_event(ctx, &zero));
    SHOW(libusb_wait_for_event(ctx, &little));
    SHOW(libusb_wait_for_event(ctx, &negative));
    SHOW(libusb_wait_for_event(ctx, &large));
    libusb_unlock_event_waiters(ctx);
}

/* How many of the descriptors are readable. */
static int
readable(const struct libusb_pollfd **fds)
{
    int n = 0;

    for (int i = 0; fds[i]; i++) {
        struct pollfd p = {fds[i]->fd, fds[i]->events, 0};

        n += poll(&p, 1, 0) > 0;
    }
    return n;
}

static void
descriptors(libusb_context *ctx)
{
    const struct libusb_pollfd **fds = libusb_get_pollfds(ctx);

    SHOW(fds[0]->events);
    SHOW(readable(fds));
    libusb_interrupt_event_handler(ctx);
    libusb_interrupt_event_handler(ctx);
    SHOW(readable(fds));
    SHOW(libusb_handle_events_timeout(ctx, &zero));
    SHOW(readable(fds));
    libusb_free_pollfds(fds);
    libusb_free_pollfds(NULL);
    libusb_set_pollfd_notifiers(ctx, NULL, NULL, NULL);
}

static int LIBUSB_CALL
arrived(libusb_context *ctx, libusb_device *dev, libusb_hotplug_event event, void *data)
{
    (void)ctx;
    (void)dev;
    printf("event %d, %d\n", (int)event, data == &answer);
    return 0;
}

static int
listen_for(libusb_context *ctx, int what, int flags, int vid, int pid, int class,
           libusb_hotplug_callback_handle *handle)
{
    return libusb_hotplug_register_callback(ctx, what, flags, vid, pid, class, arrived, &answer,
                                            handle);
}

static void
hotplug(libusb_context *ctx)
{
    libusb_hotplug_callback_handle one, two;

    SHOW(listen_for(ctx, 0, 0, -1, -1, -1, &one));
    SHOW(listen_for(ctx, 4, 0, -1, -1, -1, &one));
    SHOW(listen_for(ctx, 1, 2, -1, -1, -1, &one));
    SHOW(listen_for(ctx, 1, 0, -2, -1, -1, &one));
    SHOW(listen_for(ctx, 1, 0, 0x10000, -1, -1, &one));
    SHOW(listen_for(ctx, 1, 0, -1, 0x10000, -1, &one));
    SHOW(listen_for(ctx, 1, 0, -1, -1, 0x100, &one));
    SHOW(libusb_hotplug_register_callback(ctx, 1, 0, -1, -1, -1, NULL, NULL, &one));
    SHOW(listen_for(ctx, 3, 1, 0, 0, 0, &one));
    SHOW(listen_for(ctx, 3, 1, 0xffff, 0xffff, 0xff, NULL));
    SHOW(listen_for(ctx, 3, 0, -1, -1, -1, &two));
    SHOW(one);
    SHOW(two);
    SHOW(libusb_hotplug_get_user_data(ctx, two) == &answer);
    SHOW(libusb_hotplug_get_user_data(ctx, 99) == NULL);
    libusb_hotplug_deregister_callback(ctx, 99);
    libusb_hotplug_deregister_callback(ctx, two);
    libusb_hotplug_deregister_callback(ctx, two);
    SHOW(libusb_hotplug_get_user_data(ctx, two) == &answer); /* until it is freed */
    SHOW(libusb_handle_events_timeout(ctx, &zero));
    SHOW(libusb_hotplug_get_user_data(ctx, two) == NULL);
}

static void
transfers(void)
{
    struct libusb_transfer *t = libusb_alloc_transfer(100000);

    SHOW(t != NULL);
    if (!t)
        return;
    SHOW(t->num_iso_packets);
    SHOW(libusb_cancel_transfer(t));
    SHOW(libusb_transfer_get_stream_id(t));
    libusb_transfer_set_stream_id(t, 9);
    SHOW(libusb_transfer_get_stream_id(t));
    t->flags = LIBUSB_TRANSFER_FREE_BUFFER;
    t->buffer = malloc(1);
    libusb_free_transfer(t);
    libusb_free_transfer(NULL);
}

/* Each kind of capability as every other, of every length. */
static void
capability(libusb_context *ctx, struct libusb_bos_dev_capability_descriptor *cap)
{
    struct libusb_usb_2_0_extension_descriptor *extension = NULL;
    struct libusb_ss_usb_device_capability_descriptor *super = NULL;
    struct libusb_container_id_descriptor *container = NULL;

    printf("capability %d of %d bytes: ", cap->bDevCapabilityType, cap->bLength);
    printf("%d", libusb_get_usb_2_0_extension_descriptor(ctx, cap, &extension));
    if (extension)
        printf(" %08x", extension->bmAttributes);
    printf(", %d", libusb_get_ss_usb_device_capability_descriptor(ctx, cap, &super));
    if (super)
        printf(" %d %04x %d %d %04x", super->bmAttributes, super->wSpeedSupported,
               super->bFunctionalitySupport, super->bU1DevExitLat, super->bU2DevExitLat);
    printf(", %d", libusb_get_container_id_descriptor(ctx, cap, &container));
    if (container)
        printf(" %d %d %d", container->bReserved, container->ContainerID[0],
               container->ContainerID[15]);
    printf("\n");
    libusb_free_usb_2_0_extension_descriptor(extension);
    libusb_free_ss_usb_device_capability_descriptor(super);
    libusb_free_container_id_descriptor(container);
}

static void
capabilities(libusb_context *ctx)
{
    uint8_t bytes[32];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 11);
    bytes[1] = LIBUSB_DT_DEVICE_CAPABILITY;
    for (bytes[2] = 0; bytes[2] < 6; bytes[2]++)
        for (bytes[0] = 3; bytes[0] < 24; bytes[0]++)
            capability(ctx, (struct libusb_bos_dev_capability_descriptor *)(void *)bytes);
    libusb_free_bos_descriptor(NULL);
    libusb_free_config_descriptor(NULL);
}

/* A companion behind `skip` bytes of `extra`, of which there are `size`. */
static void
companion(libusb_context *ctx, const uint8_t *extra, int skip, int size)
{
    struct libusb_endpoint_descriptor e = {.extra = extra + skip, .extra_length = size - skip};
    struct libusb_ss_endpoint_companion_descriptor *c = NULL;

    printf("companion in %d to %d: %d", skip, size,
           libusb_get_ss_endpoint_companion_descriptor(ctx, &e, &c));
    if (c)
        printf(" %d %d %d %d %04x", c->bLength, c->bDescriptorType, c->bMaxBurst, c->bmAttributes,
               c->wBytesPerInterval);
    printf("\n");
    libusb_free_ss_endpoint_companion_descriptor(c);
}

static void
companions(libusb_context *ctx)
{
    static const uint8_t extras[][16] = {
        {5, 0x30, 1, 2, 3, 6, 0x30, 4, 1, 0x10, 0x20},       /* too short, and a good one */
        {3, 0x21, 0, 6, 0x30, 4, 1, 0x10, 0x20, 7, 0x21, 0}, /* behind another, which is cut */
        {0, 0x21, 6, 0x30, 4, 1, 0x10, 0x20},                /* of no length */
        {9, 0x21, 0, 1, 0x30, 6},
        {8, 0x30, 4, 1, 0x10, 0x20, 0, 0}, /* too long */
    };

    for (unsigned i = 0; i < sizeof(extras) / sizeof(extras[0]); i++)
        for (int skip = 0; skip < 6; skip++)
            for (int size = skip; size <= 12; size++)
                companion(ctx, extras[i], skip, size);
}

static void
answers(void)
{
    libusb_context *ctx, *other;

    names();
    locales();
    SHOW(libusb_init(&ctx));
    SHOW(libusb_init(NULL));
    SHOW(libusb_init(NULL));
    SHOW(libusb_init(&other));
    lists(ctx);
    lists(NULL);
    events(ctx);
    locks(ctx);
    descriptors(ctx);
    hotplug(ctx);
    transfers();
    capabilities(ctx);
    companions(ctx);
    options(other);
    libusb_exit(other);
    options(NULL);
    libusb_exit(NULL);
    SHOW(libusb_handle_events_timeout(NULL, &zero));
    libusb_exit(NULL);
    libusb_exit(ctx);
    libusb_exit(NULL);
}

/* ---- messages ---- */

static const char *
shape(const char *line)
{
    if (line[strlen(line) - 1] != '\n')
        return "no line";
    if (strcmp(line, "[timestamp] [threadID] facility level [function call] <message>\n") == 0)
        return "header";
    if (strspn(line, "-") == strlen(line) - 1)
        return "rule";
    if (strncmp(line, "libusb: ", 8) == 0)
        return "plain";
    return line[0] == '[' && strstr(line, "] libusb: ") ? "timed" : "?";
}

static void LIBUSB_CALL
tell_global(libusb_context *ctx, enum libusb_log_level level, const char *line)
{
    printf("for all, %s: %d, %s\n", ctx ? "a context" : "no context", (int)level, shape(line));
}

static void LIBUSB_CALL
tell_own(libusb_context *ctx, enum libusb_log_level level, const char *line)
{
    printf("its own, %s: %d, %s\n", ctx ? "a context" : "no context", (int)level, shape(line));
}

static libusb_context *first, *second;

static void
set_global(void)
{
    libusb_set_log_cb(NULL, tell_global, LIBUSB_LOG_CB_GLOBAL);
}

static void
set_own(void)
{
    libusb_set_log_cb(first, tell_own, LIBUSB_LOG_CB_CONTEXT);
}

static void
set_none(void)
{
    libusb_set_log_cb(first, NULL, LIBUSB_LOG_CB_CONTEXT | LIBUSB_LOG_CB_GLOBAL);
}

static void
set_debug(void)
{
    SHOW(libusb_set_option(first, LIBUSB_OPTION_LOG_LEVEL, LIBUSB_LOG_LEVEL_DEBUG));
}

static void
set_warning(void)
{
    SHOW(libusb_set_option(first, LIBUSB_OPTION_LOG_LEVEL, LIBUSB_LOG_LEVEL_WARNING));
}

static const struct {
    const char *word;
    void (*set)(void);
} settings[] = {{"global", set_global}, {"own", set_own},         {"none", set_none},
                {"debug", set_debug},   {"warning", set_warning}, {"", NULL}};

static void
apply(const char *word)
{
    for (unsigned i = 0; settings[i].set; i++)
        if (strcmp(settings[i].word, word) == 0)
            settings[i].set();
}

/* The first context stands in for a default one, which is an error and told so. */
static void
messages(char **words)
{
    libusb_device **list;

    if (words[0] && strcmp(words[0], "global") == 0)
        set_global(); /* before there is a context */
    libusb_init(&first);
    for (; *words; words++)
        apply(*words);
    libusb_init(&second);
    SHOW(libusb_get_device_list(NULL, &list));
    libusb_free_device_list(list, 1);
    libusb_exit(second);
    libusb_exit(first);
}

int
main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && strcmp(argv[1], "answers") == 0)
        answers();
    else if (argc > 1 && strcmp(argv[1], "log") == 0)
        messages(argv + 2);
    return argc > 1 ? 0 : 2;
}
