/*
 * find.h - what choosing a device and finding one again have in common
 */
#ifndef UW_USB_FIND_H
#define UW_USB_FIND_H

#include <usbwire/find.h>

/* The first pause between two tries; each is twice as long as the one before. */
#define UW_FIND_PAUSE_US 100000u

/* What a server may hide, as it is in use. */
enum uw_find_source {
    UW_FIND_HELD = 1, /* by brokers */
    UW_FIND_OURS = 2  /* imported by this loop */
};

/* The list of the server with that of these sources (or-ed). */
int uw_find_list_with(struct uw_server *server, unsigned sources, struct uw_usec timeout,
                      struct uw_device_list **ret_list, struct uw_fault *fault);

/* Absent, or in use: worth waiting for. */
int uw_find_may_pass(int error);

/* Waits before the next try, a little longer each time. 1; 0: no time is left for one; INTERRUPTED.
 */
int uw_find_pause(struct uw_loop *loop, struct uw_usec until, struct uw_usec *pause, uint32_t max);

/* NOT_FOUND, and what there is instead. */
int uw_find_not_found(struct uw_server *server, const struct uw_choice *choice,
                      const struct uw_device_list *list, struct uw_fault *fault);

#endif
