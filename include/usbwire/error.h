/*
 * error.h - error codes, and faults: errors with the whole story
 *
 * Functions return 0 or a count on success and one of enum uw_error (negative) on failure. Out
 * parameters are named ret_... and are untouched on failure.
 *
 * A code alone does not tell a person what happened. Functions that talk to a server also take a
 * `struct uw_fault *fault` (NULL: not wanted), filled in on failure and untouched on success, which
 * says what was tried, on what, what came back and what to do. uw_fault_text() makes one sentence.
 *
 *     struct uw_fault fault;
 *     if (uw_server_list(server, uw_msec(5000), &list, &fault) < 0) {
 *         char text[UW_FAULT_TEXT_MAX];
 *         fprintf(stderr, "%s\n", uw_fault_text(&fault, text, sizeof(text)));
 *     }
 *
 * Threads: all functions here may be called from any thread.
 */
#ifndef USBWIRE_ERROR_H
#define USBWIRE_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum uw_error {
    UW_OK = 0,
#define UW_ERROR_X(name, value, text, errnum, libusb, usable) UW_ERROR_##name = (value),
#include <usbwire/error.def>
#undef UW_ERROR_X
};

/* "UW_ERROR_STALL"; "UW_OK" for 0 and above; "UW_ERROR_?" for a number that is none. Static. */
const char *uw_error_name(int code);

/* One clause in English, e.g. "the endpoint is halted (stall)". Static. */
const char *uw_error_text(int code);

/* Nearest positive POSIX errno; 0 for success, EIO for a number that is none. */
int uw_error_errno(int code);

/* The libusb_error (negative, LIBUSB_ERROR_OTHER = -99 for a number that is none); 0 for success.
 */
int uw_error_libusb(int code);

/* 1 when the object that returned the code can still be used, 0 when it can only be freed. */
int uw_error_usable(int code);

#define UW_FAULT_TEXT_MAX 1024

/* What went wrong, for a person. Strings are NUL-terminated, cut when too long, printable. */
struct uw_fault {
    int code;         /* enum uw_error */
    int raw;          /* status as the peer sent it, or errno of a system call; 0: none */
    char on[256];     /* server and device: "bench1:3240 1-1.2 (303a:4004)" */
    char tried[160];  /* "bulk IN 0x81, 512 bytes" */
    char came[256];   /* what came back: "status -32 (EPIPE)"; empty: nothing did */
    char advice[256]; /* what to do; may be empty */
};

/* One sentence "ON: TRIED: TEXT (CAME): ADVICE" into buf, always terminated. Returns buf. */
const char *uw_fault_text(const struct uw_fault *fault, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
