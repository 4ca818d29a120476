/*
 * writer.h - the thread that takes a capture's blocks to where they are written
 */
#ifndef UW_CAPTURE_WRITER_H
#define UW_CAPTURE_WRITER_H

#include "capture/capture.h"
#include "capture/target.h"

/* How long the end of a capture waits for a reader that does not read, and for the first one. */
#define UW_WRITER_PATIENCE_US       2000000u
#define UW_WRITER_FIRST_PATIENCE_US 10000000u

/* Takes `target` over, also on failure, and starts the thread, which at its end calls gone(arg)
 * (NULL: nothing) without a lock. NO_MEMORY. */
int uw_writer_start(struct uw_capture *capture, const struct uw_target *target,
                    void (*gone)(void *arg), void *arg);

/* The capture is closed: waits until everything is written or given up, ends the thread. Returns
 * what uw_capture_close does. May be called again. */
int uw_writer_finish(struct uw_capture *capture, struct uw_fault *fault);

/* Fills in who takes what is written. */
void uw_writer_stats(const struct uw_capture *capture, struct uw_capture_stats *ret_stats);

/* Async-signal-safe. */
void uw_writer_hurry(struct uw_capture *capture);

/* Frees a writer whose thread has ended, or stayed with the parent of a fork. */
void uw_writer_free(struct uw_capture *capture);

#endif
