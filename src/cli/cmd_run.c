/*
 * cmd_run.c - usbwire run: starts a program that finds a server's devices where it looks for local
 * ones
 *
 * The server is asked and the devices are resolved before the program starts, since most programs
 * have nothing to say but "no device found".
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "names.h"
#include "options.h"
#include "target.h"

#define DEVICES_MAX 32u
#define HIDAPI      "libhidapi-libusb.so.0"

struct choice_of_run {
    char devices[DEVICES_MAX * 40]; /* what USBWIRE_DEVICES is to say */
    unsigned count;
};

/* ---- which devices ---- */

static int
add_device(struct choice_of_run *chosen, const char *busid)
{
    size_t n = strlen(chosen->devices);

    if (chosen->count == DEVICES_MAX)
        return cli_error("more than %u devices are chosen", DEVICES_MAX);
    snprintf(chosen->devices + n, sizeof(chosen->devices) - n, "%s%s", n ? "," : "", busid);
    chosen->count++;
    return 0;
}

/* One of the --busid given, or there is none. */
static int
is_named(const struct cli *cli, const char *busid)
{
    const char *given;

    if (!cli_has(cli, OPT_BUSID))
        return !uw_server_busid(cli->server) || strcmp(uw_server_busid(cli->server), busid) == 0;
    for (size_t i = 0; (given = cli_nth(cli, OPT_BUSID, i)); i++)
        if (strcmp(given, busid) == 0)
            return 1;
    return 0;
}

static void
print_offer(const struct uw_device_list *list)
{
    char name[NAMES_MAX];

    for (unsigned i = 0; i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);
        fprintf(stderr, "  --busid %-12s %04x:%04x %s\n", info->busid, info->vid, info->pid,
                names_device(info->vid, info->pid, name, sizeof(name)));
    }
}

static int
is_in_list(const struct uw_device_list *list, const char *busid)
{
    for (unsigned i = 0; i < uw_device_list_count(list); i++)
        if (strcmp(uw_device_list_get(list, i)->busid, busid) == 0)
            return 1;
    return 0;
}

/* Every --busid must be there. */
static int
check_named(const struct cli *cli, const struct uw_device_list *list)
{
    const char *given;

    for (size_t i = 0; (given = cli_nth(cli, OPT_BUSID, i)); i++)
        if (!is_in_list(list, given)) {
            cli_error("%s has no device %s to offer now%s", uw_server_name(cli->server), given,
                      uw_device_list_count(list) ? "; there is:" : "");
            print_offer(list);
            return TARGET_WRAPPER_FAILED;
        }
    return 0;
}

static int
choose_from(const struct cli *cli, const struct uw_device_list *list, struct choice_of_run *chosen)
{
    int open = !cli_has(cli, OPT_BUSID) && !cli_has(cli, OPT_VID) && !cli_has(cli, OPT_PID) &&
               !uw_server_busid(cli->server);
    struct uw_choice choice;
    int code = check_named(cli, list);

    cli_choice(cli, &choice);
    choice.busid = NULL; /* is_named knows all of them */
    for (unsigned i = 0; !code && i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);

        if (is_named(cli, info->busid) && uw_choice_matches(&choice, info))
            code = add_device(chosen, info->busid);
    }
    if (code)
        return code;
    if (!chosen->count) {
        cli_error("no device of %s matches%s", uw_server_name(cli->server),
                  uw_device_list_count(list) ? "; there is:" : ": it offers none");
        print_offer(list);
        return TARGET_WRAPPER_FAILED;
    }
    if (open && chosen->count > 1) {
        cli_error("%s offers %u devices; choose with --busid, --vid and --pid, --serial or --all:",
                  uw_server_name(cli->server), chosen->count);
        print_offer(list);
        return TARGET_WRAPPER_FAILED;
    }
    return 0;
}

/* A serial number is read from the device itself, and a device that is waited for is there when it
 * can be imported. */
static int
choose_by_import(struct cli *cli, struct choice_of_run *chosen)
{
    if (cli_choose(cli))
        return TARGET_WRAPPER_FAILED;
    return add_device(chosen, uw_device_info(cli->device)->busid);
}

static int
choose_from_list(struct cli *cli, struct choice_of_run *chosen)
{
    struct uw_device_list *list;
    struct uw_fault fault;
    int code;

    if (cli_connect(cli))
        return TARGET_WRAPPER_FAILED;
    if (uw_server_list(cli->server, cli_time(cli, OPT_TIMEOUT, uw_never()), &list, &fault) < 0) {
        cli_fault(&fault, CLI_CONNECTING);
        return TARGET_WRAPPER_FAILED;
    }
    if (cli_has(cli, OPT_ALL)) {
        snprintf(chosen->devices, sizeof(chosen->devices), "all");
        code = 0;
    } else {
        code = choose_from(cli, list, chosen);
    }
    uw_device_list_free(list);
    return code;
}

/* ---- what is preloaded ---- */

/* The folder of the drop-in: beside the library this program uses, where both are installed or both
 * are built. NULL: not found. */
static char *
find_folder(void)
{
    static const char *const places[] = {"usbwire", "libusb"};
    char *library, *found = NULL;
    Dl_info info;

    library = dladdr((void *)(uintptr_t)uw_version, &info) ? realpath(info.dli_fname, NULL) : NULL;
    if (library && strrchr(library, '/'))
        *strrchr(library, '/') = '\0';
    for (size_t i = 0; library && !found && i < sizeof(places) / sizeof(places[0]); i++) {
        char *folder = NULL, *file = NULL;

        if (asprintf(&folder, "%s/%s", library, places[i]) < 0)
            break;
        if (asprintf(&file, "%s/libusb-1.0.so.0", folder) >= 0 && access(file, R_OK) == 0)
            found = folder;
        else
            free(folder);
        free(file);
    }
    free(library);
    return found;
}

/* hidapi's libusb flavour has the same functions as the one for the kernel's hidraw devices. */
static int
check_hidapi(void)
{
    if (dlopen(HIDAPI, RTLD_LAZY | RTLD_LOCAL))
        return 0;
    return cli_error("--hid needs %s, which is not installed (Debian: libhidapi-libusb0)", HIDAPI);
}

/* For what is loaded only where it is needed: libusb 0.1. */
static int
add_library_path(const char *folder)
{
    const char *before = getenv("LD_LIBRARY_PATH");
    char *list = NULL;
    int code = 0;

    if (asprintf(&list, "%s%s%s", folder, before && *before ? ":" : "", before ? before : "") < 0 ||
        setenv("LD_LIBRARY_PATH", list, 1))
        code = cli_error("out of memory");
    free(list);
    return code;
}

static int
set_preload(const struct cli *cli)
{
    const char *before = getenv("LD_PRELOAD");
    char *folder = find_folder(), *list = NULL;
    int code = 0;

    if (!folder)
        return cli_error("the libusb of usbwire is not installed beside libusbwire.so.0");
    if (strpbrk(folder, ": "))
        code = cli_error("LD_PRELOAD cannot name the folder \"%s\": a blank or colon in it "
                         "separates names there",
                         folder);
    else if (cli_has(cli, OPT_HID))
        code = check_hidapi();
    if (!code && (asprintf(&list, "%s/usbwire-redirect.so:%s/libusb-1.0.so.0%s%s%s", folder, folder,
                           cli_has(cli, OPT_HID) ? ":" HIDAPI : "", before && *before ? ":" : "",
                           before ? before : "") < 0 ||
                  setenv("LD_PRELOAD", list, 1)))
        code = cli_error("out of memory");
    free(list);
    if (!code)
        code = add_library_path(folder);
    free(folder);
    return code;
}

int
cmd_run(struct cli *cli)
{
    struct choice_of_run chosen = {.count = 0};
    char path[PATH_MAX];
    int code;

    if (!cli->num_operands)
        return cli_usage("run needs a command to run, as in usbwire run -- lsusb");
    code = target_find(cli->operands[0], path);
    if (code)
        return code;
    code = cli_has(cli, OPT_SERIAL) || cli_has(cli, OPT_WAIT) ? choose_by_import(cli, &chosen)
                                                              : choose_from_list(cli, &chosen);
    if (code)
        return TARGET_WRAPPER_FAILED;
    uw_device_free(cli->device); /* the program imports it itself */
    cli->device = NULL;
    if (setenv("USBWIRE_SERVERS", uw_server_name(cli->server), 1) ||
        setenv("USBWIRE_DEVICES", chosen.devices, 1) || set_preload(cli))
        return TARGET_WRAPPER_FAILED;
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    execv(path, cli->operands);
    cli_error("%s: %s", path, strerror(errno));
    return TARGET_CANNOT_RUN;
}
