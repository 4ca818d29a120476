/*
 * target.h - what a capture is written to
 */
#ifndef UW_CAPTURE_TARGET_H
#define UW_CAPTURE_TARGET_H

#include <usbwire/error.h>

enum uw_target_kind {
    UW_TARGET_FILE,  /* takes everything, sooner or later */
    UW_TARGET_PIPE,  /* may be full, may lose its reader for good */
    UW_TARGET_FIFO,  /* may be without a reader for a while */
    UW_TARGET_SOCKET /* as a pipe */
};

struct uw_target {
    enum uw_target_kind kind;
    int fd;         /* -1: a FIFO without a reader */
    char name[256]; /* in messages, and the path of a FIFO */
};

/* Opens what uw_capture_open describes. */
int uw_target_open(const char *name, struct uw_target *ret_target, struct uw_fault *fault);

/* Opens a FIFO for its next reader: 1, 0 when there is none, or -errno. */
int uw_target_reopen(struct uw_target *target);

#endif
