/*
 * cmd_run.c - usbwire run: starts a program that finds a server's devices where it looks for local
 * ones
 *
 * The devices are imported before the program starts, since most programs have nothing to say but
 * "no device found", and shared with it and all that it starts, so that none is reset between two
 * of them.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"
#include "runtty.h"
#include "shares.h"
#include "target.h"

/* How long a daemon may be without its device. */
#define REST_MS 2000u

#define HIDAPI "libhidapi-libusb.so.0"
#define LIBUSB "libusb-1.0.so.0"
#define TTY    "usbwire-tty.so"

/* ---- which devices ---- */

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

/* What matches, of a server's list. */
static unsigned
count_matches(const struct cli *cli, const struct uw_device_list *list,
              const struct uw_choice *choice)
{
    unsigned n = 0;

    for (unsigned i = 0; i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);

        n += is_named(cli, info->busid) && uw_choice_matches(choice, info);
    }
    return n;
}

static int
share_matches(struct cli *cli, const struct uw_device_list *list, const struct uw_choice *choice,
              struct shares *shares)
{
    int code = 0;

    for (unsigned i = 0; !code && i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);

        if (is_named(cli, info->busid) && uw_choice_matches(choice, info))
            code = shares_add(shares, cli, info->busid, cli_has(cli, OPT_ALL));
    }
    return code;
}

/* One device, which may have to be waited for, or be asked for its serial number. */
static int
share_one(struct cli *cli, struct shares *shares)
{
    int code = cli_choose(cli);

    return code ? code : shares_add(shares, cli, uw_device_info(cli->device)->busid, 0);
}

static int
share_from(struct cli *cli, const struct uw_device_list *list, struct shares *shares)
{
    int open = !cli_has(cli, OPT_VID) && !cli_has(cli, OPT_PID) && !cli_has(cli, OPT_ALL) &&
               !uw_server_busid(cli->server);
    struct uw_choice choice;
    unsigned n;

    cli_choice(cli, &choice);
    choice.busid = NULL;
    n = count_matches(cli, list, &choice);
    if (n == 0 || (open && n > 1)) {
        if (n)
            cli_error("%s offers %u devices; choose with --busid, --vid and --pid, --serial or "
                      "--all:",
                      uw_server_name(cli->server), n);
        else
            cli_error("no device of %s matches%s", uw_server_name(cli->server),
                      uw_device_list_count(list) ? "; there is:"
                                                 : ": it offers none, or none that is not in use");
        cli_print_candidates(list);
        return TARGET_WRAPPER_FAILED;
    }
    return share_matches(cli, list, &choice, shares);
}

static void
print_list(struct cli *cli)
{
    struct uw_device_list *list;

    if (uw_find_list(cli->server, cli_timeout(cli), &list, NULL) < 0)
        return;
    cli_print_candidates(list);
    uw_device_list_free(list);
}

/* By busid: servers may hide from the list what somebody holds, perhaps one of our own. */
static int
share_named(struct cli *cli, struct shares *shares)
{
    const char *given;
    int code = 0;

    for (size_t i = 0; !code && (given = cli_nth(cli, OPT_BUSID, i)); i++)
        code = shares_add(shares, cli, given, 0);
    if (code == CLI_NO_DEVICE)
        print_list(cli);
    return code;
}

static int
share_listed(struct cli *cli, struct shares *shares)
{
    struct uw_device_list *list;
    int code = cli_list(cli, &list);

    if (code)
        return code;
    code = share_from(cli, list, shares);
    uw_device_list_free(list);
    return code;
}

static int
share_devices(struct cli *cli, struct shares *shares)
{
    int code;

    if (cli_has(cli, OPT_SERIAL))
        return share_one(cli, shares);
    code = cli_connect(cli);
    if (code)
        return code;
    code = cli_has(cli, OPT_BUSID) ? share_named(cli, shares) : share_listed(cli, shares);
    if (!code && !shares_count(shares))
        code = cli_error("none of the devices of %s can be had", uw_server_name(cli->server));
    return code;
}

/* ---- what is preloaded ---- */

/* The folder of a file to preload: beside the library this program uses, where both are installed
 * or both are built. NULL: not found. */
static char *
find_folder(const char *name)
{
    static const char *const places[] = {"usbwire", "libusb", "tty"};
    char *library, *found = NULL;
    Dl_info info;

    library = dladdr((void *)(uintptr_t)uw_version, &info) ? realpath(info.dli_fname, NULL) : NULL;
    if (library && strrchr(library, '/'))
        *strrchr(library, '/') = '\0';
    for (size_t i = 0; library && !found && i < sizeof(places) / sizeof(places[0]); i++) {
        char *folder = NULL, *file = NULL;

        if (asprintf(&folder, "%s/%s", library, places[i]) < 0)
            break;
        if (asprintf(&file, "%s/%s", folder, name) >= 0 && access(file, R_OK) == 0)
            found = folder;
        else
            free(folder);
        free(file);
    }
    free(library);
    return found;
}

/* The same, or a message. */
static char *
need_folder(const char *name)
{
    char *folder = find_folder(name);

    if (!folder)
        cli_error("%s of usbwire is not installed beside libusbwire.so.0", name);
    else if (strpbrk(folder, ": ")) {
        cli_error("LD_PRELOAD cannot name the folder \"%s\": a blank or colon in it separates "
                  "names there",
                  folder);
        free(folder);
        folder = NULL;
    }
    return folder;
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

/* Puts it before what is preloaded already. */
static int
add_preload(const char *names)
{
    const char *before = getenv("LD_PRELOAD");
    char *list = NULL;
    int code = 0;

    if (asprintf(&list, "%s%s%s", names, before && *before ? ":" : "", before ? before : "") < 0 ||
        setenv("LD_PRELOAD", list, 1))
        code = cli_error("out of memory");
    free(list);
    return code;
}

static int
preload_tty(void)
{
    char *folder = need_folder(TTY), *name = NULL;
    int code = TARGET_WRAPPER_FAILED;

    if (folder)
        code = asprintf(&name, "%s/%s", folder, TTY) < 0 ? cli_error("out of memory")
                                                         : add_preload(name);
    free(name);
    free(folder);
    return code;
}

static int
preload_libusb(const struct cli *cli)
{
    char *folder = need_folder(LIBUSB), *names = NULL;
    int code = folder ? 0 : TARGET_WRAPPER_FAILED;

    if (!code && cli_has(cli, OPT_HID))
        code = check_hidapi();
    if (!code)
        code = asprintf(&names, "%s/usbwire-redirect.so:%s/%s%s", folder, folder, LIBUSB,
                        cli_has(cli, OPT_HID) ? ":" HIDAPI : "") < 0
                   ? cli_error("out of memory")
                   : add_preload(names);
    if (!code)
        code = add_library_path(folder);
    free(names);
    free(folder);
    return code;
}

static int
set_environment(const struct cli *cli, const struct shares *shares)
{
    char *addresses = shares_addresses(shares);
    int code = 0;

    if (!addresses || setenv("USBWIRE_SERVERS", addresses, 1) ||
        setenv("USBWIRE_DEVICES", "all", 1))
        code = cli_error("out of memory");
    free(addresses);
    return code ? code : preload_libusb(cli);
}

/* ---- the command ---- */

/* A program may have become a daemon; that opens its device now, or closes it for a moment. */
struct rest {
    const struct cli *cli;
    const struct shares *shares;
    struct uw_usec used; /* instant */
    int said;
};

static int
are_needed(void *data)
{
    struct rest *r = (struct rest *)data;
    struct uw_usec now = uw_now();

    if (shares_are_used(r->shares)) {
        r->used = now;
        if (!r->said++)
            cli_remark(r->cli,
                       "%s has ended, and what it left behind still uses the devices; they "
                       "are held for it until Ctrl-C",
                       r->cli->operands[0]);
    }
    return uw_usec_sub(now, r->used).us < uw_msec(REST_MS).us;
}

struct tended {
    struct shares *shares;
    struct cli *cli;
};

static void
tend(void *data)
{
    const struct tended *t = (const struct tended *)data;

    shares_tend(t->shares, t->cli);
}

static int
run_and_tend(struct cli *cli, const char *path, struct shares *shares)
{
    struct tended tended = {shares, cli};
    const struct child_meanwhile meanwhile = {tend, &tended};
    struct rest rest = {.cli = cli, .shares = shares};
    int code = child_run(path, cli->operands, &meanwhile);

    rest.used = uw_now();
    child_wait_for_rest(&meanwhile, are_needed, &rest);
    return code;
}

/* With a server: its devices, and with --tty their serial ports. */
static int
run_on_devices(struct cli *cli, const char *path)
{
    struct shares *shares = shares_new();
    struct runtty *tty = NULL;
    int code = shares ? 0 : cli_error("out of memory");

    if (!code)
        code = share_devices(cli, shares);
    if (!code && cli_has(cli, OPT_TTY))
        code = runtty_open(cli, shares, &tty);
    if (!code)
        code = set_environment(cli, shares);
    if (!code && cli_has(cli, OPT_TTY))
        code = preload_tty();
    if (!code)
        code = run_and_tend(cli, path, shares);
    else if (code != CLI_INTERRUPTED)
        code = TARGET_WRAPPER_FAILED;
    runtty_close(tty);
    shares_free(shares);
    return code;
}

int
cmd_run(struct cli *cli)
{
    char path[PATH_MAX];
    int code;

    if (!cli->num_operands)
        return cli_usage("run needs a command to run, as in usbwire run -- lsusb");
    if (!cli_has(cli, OPT_TTY) && (cli_has(cli, OPT_INTERFACE) || cli_has(cli, OPT_RECONNECT)))
        return cli_usage("--interface and --reconnect are for the ports that --tty opens");
    code = target_find(cli->operands[0], path);
    if (code)
        return code;
    if (!cli_has(cli, OPT_TTY) || runtty_wants_ports(cli))
        return run_on_devices(cli, path);
    return preload_tty() ? TARGET_WRAPPER_FAILED : child_run(path, cli->operands, NULL);
}
