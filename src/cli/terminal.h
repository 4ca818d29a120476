/*
 * terminal.h - a port on a person's terminal: what its two halves share
 */
#ifndef UW_CLI_TERMINAL_H
#define UW_CLI_TERMINAL_H

#include <stdio.h>
#include <termios.h>

#include "bridge.h"

#define TERMINAL_EXIT 0x1d /* Ctrl-] */
#define TERMINAL_MENU 0x14 /* Ctrl-T */

enum mode { KEYS, MENU, TYPING };

struct terminal {
    struct bridge *bridge;
    struct termios before;
    int is_tty, is_raw, input_over;
    enum mode mode;
    struct termios screen; /* of standard output, with its own ways with line ends */
    int has_screen;
    int stamps, hex, at_line_start, leaving, stuck;
    uint64_t shown;
    char log_name[512];
    FILE *log;
    char typed[512]; /* an answer */
    size_t typed_size;
    void (*typed_in)(struct terminal *terminal); /* what is done with it */
    int file;                                    /* being sent, -1: none */
    char file_name[512];
    int file_over;
    uint64_t file_size, file_base; /* base: what the device will have taken before it */
    unsigned percent;
};

/* A remark of ours between what the board says. */
void terminal_say(struct terminal *terminal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- terminal_menu.c ---- */

/* The key after Ctrl-T. */
void terminal_press(struct terminal *terminal, uint8_t key);

/* A key of an answer. */
void terminal_type(struct terminal *terminal, uint8_t key);

/* Goes on with a file. Returns after how many ms again, -1: there is none. */
int terminal_send_file(struct terminal *terminal);

#endif
