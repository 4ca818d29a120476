/*
 * ask.h - one question to the owner of a pseudo-terminal
 *
 * May be called wherever the functions that it stands in for may: in signal handlers, in a forked
 * child, in any thread.
 */
#ifndef UW_TTY_ASK_H
#define UW_TTY_ASK_H

#include "tty/tty.h"

enum tty_answer {
    TTY_OTHERS,  /* the descriptor is none of ours: the real function is to see to it */
    TTY_ANSWERED /* result is 0, or -1 with errno */
};

struct tty_question {
    enum tty_op op;
    uint32_t mask, value;
    int patient; /* the answer may take any time, and a signal ends the wait with EINTR */
    int result;
    struct tty_reply reply;
};

/* It is a pseudo-terminal, perhaps one of ours. errno is as it was. */
int tty_is_slave(int fd);

/* errno is as it was, unless the result is -1. */
enum tty_answer tty_ask(int fd, struct tty_question *question);

#endif
