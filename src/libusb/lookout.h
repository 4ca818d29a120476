/*
 * lookout.h - somebody who asks the servers while programs want to be told of arrivals
 *
 * USB/IP tells nobody of new devices, so their lists are asked for once a second. That takes round
 * trips, and more of them when something is new, for which whoever handles events cannot wait: a
 * thread does it, which runs no callbacks. There is one, while there is somebody to be told.
 */
#ifndef UW_LIBUSB_LOOKOUT_H
#define UW_LIBUSB_LOOKOUT_H

/* One more, or fewer, who want to be told. A libusb error when there can be no thread. */
int lookout_hold(void);
void lookout_release(void);

/* In a forked child the thread is not there any more; the next event handler that needs it makes
 * another one. */
void lookout_forked(void);
void lookout_resume(void);

#endif
