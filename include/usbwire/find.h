/*
 * find.h - choosing a device by what is known of it
 *
 * All given criteria must match. A serial number is read from the device itself, so choosing by it
 * imports candidates for a moment - only those that match everything else.
 */
#ifndef USBWIRE_FIND_H
#define USBWIRE_FIND_H

#include <usbwire/device.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_choice {
    int vid, pid;       /* -1: any */
    const char *serial; /* NULL: any; borrowed */
    const char *busid;  /* NULL: any; borrowed */
};

/* A choice that any device matches. */
void uw_choice_init(struct uw_choice *choice);

/* 1 when a record matches all but the serial number. */
int uw_choice_matches(const struct uw_choice *choice, const struct uw_device_info *info);

/*
 * The devices there are: those that the server lists, and those that brokers of this user
 * (broker.h) hold of it, which many servers hide. As uw_server_list otherwise.
 */
int uw_find_list(struct uw_server *server, struct uw_usec timeout, struct uw_device_list **ret_list,
                 struct uw_fault *fault);

/* 1 when a broker of this user holds the device of that record. */
int uw_find_is_held(const struct uw_device_info *info);

/*
 * Finds the one device of uw_find_list that matches, and imports it. A busid given alone is
 * imported without listing. With `wait` > 0 keeps trying, in steps of 0.1 to 1 s, while the device
 * is absent or in use elsewhere, until the duration is over.
 *
 * Errors: those of uw_device_import; NOT_FOUND (none matches; the fault says what there is);
 * AMBIGUOUS (several match): *ret_candidates, if not NULL, is then the list of them, to be freed
 * with uw_device_list_free.
 */
int uw_find(struct uw_server *server, const struct uw_choice *choice, struct uw_usec wait,
            struct uw_usec timeout, struct uw_device **ret_device,
            struct uw_device_list **ret_candidates, struct uw_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
