/*
 * list.c - the devices of a USB/IP server, one a line
 *
 *     list [ADDRESS]          127.0.0.1:3240 when not given
 */
#include <stdio.h>

#include <usbwire/usbwire.h>

static void
print(const struct uw_device_list *list)
{
    const struct uw_device_info *info;

    for (unsigned i = 0; (info = uw_device_list_get(list, i)) != NULL; i++)
        printf("%s %04x:%04x %s\n", info->busid, info->vid, info->pid, uw_speed_name(info->speed));
}

int
main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "127.0.0.1";
    struct uw_loop *loop = NULL;
    struct uw_server *server = NULL;
    struct uw_device_list *list = NULL;
    struct uw_fault fault;
    char text[UW_FAULT_TEXT_MAX];
    int r = 1;

    if (uw_loop_new(NULL, &loop) < 0)
        return 1;
    if (uw_server_new(loop, address, UW_DEFAULT_PORT, &server, &fault) < 0 ||
        uw_server_list(server, uw_msec(5000), &list, &fault) < 0) {
        fprintf(stderr, "%s\n", uw_fault_text(&fault, text, sizeof(text)));
    } else {
        print(list);
        r = 0;
    }
    /* In the reverse order; NULL is fine everywhere. */
    uw_device_list_free(list);
    uw_server_free(server);
    uw_loop_free(loop);
    return r;
}
