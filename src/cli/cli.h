/*
 * cli.h - what the commands share
 *
 * main.c parses the command line into a struct cli and calls the command's function, which returns
 * the exit code. What a command needs of the library it opens with cli_connect or cli_choose and
 * leaves to main to close.
 */
#ifndef UW_CLI_CLI_H
#define UW_CLI_CLI_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/usbwire.h>

/* Exit codes, as the manual lists them. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,       /* the device or a transfer failed */
    CLI_USAGE = 2,        /* the command line makes no sense */
    CLI_UNREACHED = 3,    /* no connection to the server */
    CLI_NO_DEVICE = 4,    /* no such device, or several match */
    CLI_BUSY = 5,         /* the device is in use elsewhere */
    CLI_INTERRUPTED = 130 /* Ctrl-C, as shells count it */
};

enum cli_command_id {
#define COMMAND(id, name, function, operands, most, help) CMD_##id,
#include "commands.def"
#undef COMMAND
    NUM_COMMANDS
};

enum cli_option_id {
#define OPTION(id, name, letter, argument, kind, min, max, takers, help) OPT_##id,
#include "options.def"
#undef OPTION
    NUM_OPTIONS
};

struct cli_value {
    const char *text; /* as given last; NULL: not given */
    uint64_t number;  /* NUMBER, HEX16; REPEAT: how often; TIME: microseconds; WORD: index */
};

struct cli_given {
    enum cli_option_id option;
    const char *text;
};

struct boardlog;

struct cli {
    enum cli_command_id command;
    struct cli_value values[NUM_OPTIONS];
    struct cli_given *given; /* every option in the order of the command line */
    size_t num_given;
    char **operands;
    int num_operands;

    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device;
    struct boardlog *boardlog; /* NULL: no logs are shown */
    struct uw_capture *capture;
    struct uw_offer *offer; /* to other programs that look on */
};

/* ---- options (options.c) ---- */

/* 1 when the option was given. */
int cli_has(const struct cli *cli, enum cli_option_id option);
/* Its value, or `fallback`. */
uint64_t cli_number(const struct cli *cli, enum cli_option_id option, uint64_t fallback);
const char *cli_text(const struct cli *cli, enum cli_option_id option, const char *fallback);
/* The nth text (0 ...) of a MANY option, or NULL. */
const char *cli_nth(const struct cli *cli, enum cli_option_id option, size_t n);
/* A TIME option as a duration. */
struct uw_usec cli_time(const struct cli *cli, enum cli_option_id option, struct uw_usec fallback);
/* --timeout for one transfer or request: 5 s when not given, never for 0. */
struct uw_usec cli_timeout(const struct cli *cli);

/* ---- messages (report.c) ---- */

/* What the program was doing when an error came: it decides on the exit code. */
enum cli_phase { CLI_CONNECTING, CLI_CHOOSING, CLI_USING };

/* The exit code for enum uw_error. */
int cli_exit_code(int error, enum cli_phase phase);
/* Writes the fault's sentence to standard error and returns the exit code. */
int cli_fault(const struct uw_fault *fault, enum cli_phase phase);
/* One sentence about the command line to standard error; returns CLI_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One sentence about a failure on this side (a file, memory); returns CLI_FAILED. */
int cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A remark on standard error, unless -q. */
void cli_remark(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- server and device (connect.c) ---- */

/* Opens the loop alone. 0, or the exit code after a message. */
int cli_open(struct cli *cli);
/* Opens the loop, and finds the address of the server that the options or the environment name,
 * which may be looked for: `found` is room for that. 0, or the exit code after a message. */
int cli_server_address(struct cli *cli, char *found, size_t size, const char **ret_address);
/* Opens the loop and the server of --host. 0, or the exit code after a message. */
int cli_connect(struct cli *cli);
/* The same, then finds and imports the device: through the process of this user that holds it
 * (usbwire hold), if there is one. 0, or the exit code after a message. */
int cli_choose(struct cli *cli);
/* The devices there are, to be freed; with --wait, when one is there that the options choose, or
 * the time is over. 0, or the exit code after a message. */
int cli_list(struct cli *cli, struct uw_device_list **ret_list);
/* Waits; Ctrl-C ends it. */
void cli_pause(struct cli *cli, struct uw_usec duration);
/* On standard error, one a line: what there is to choose from. */
void cli_print_candidates(const struct uw_device_list *list);
/* What the options say of a device. */
void cli_choice(const struct cli *cli, struct uw_choice *ret_choice);
/* Gives everything back. 0, or the exit code after a message when a capture is not complete. */
int cli_close(struct cli *cli);

/* ---- a device that ended (gone.c) ---- */

/* As cli_fault, for an imported device: where its connection was lost, the server is asked whether
 * it still has the device, since Linux also closes the connection when one is unplugged. */
int cli_device_fault(struct cli *cli, struct uw_device *device, const struct uw_fault *fault);

/* ---- Ctrl-C (interrupt.c) ---- */

/* SIGINT, SIGTERM and SIGHUP end the program at once, or, from here on with a `wake`: set a flag
 * and call `wake`, which must be async-signal-safe, and only a second one, which SIGHUP is not,
 * ends the program. */
void cli_catch_interrupts(void (*wake)(void *data), void *data);
/* The same, waking the loop: for commands that say how far they came. */
void cli_end_cleanly(struct cli *cli);
int cli_interrupted(void);
/* As nohup has it; what is ignored at the start remains so. */
int cli_ignores(int signal_number);
/* A descriptor that can be read from once that was so, for who polls several; it stays so. -1: none
 * could be made. */
int cli_interrupt_fd(void);

/* ---- output (report.c) ---- */

/* Refuses --raw where standard output is a terminal, unless --force. 0, or CLI_USAGE. */
int cli_check_raw(const struct cli *cli);

/* Flushes standard output. 0, or CLI_FAILED after a message when it could not be written. */
int cli_flush(void);

/* ---- the commands ---- */

#define COMMAND(id, name, function, operands, most, help) int function(struct cli *cli);
#include "commands.def"
#undef COMMAND

#endif
