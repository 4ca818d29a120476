/*
 * urb.h - asynchronous transfers
 *
 * A URB is one transfer: control, bulk, interrupt or isochronous, as the endpoint's descriptor
 * says. It owns nothing: it points at the caller's buffer, which must stay valid and untouched from
 * submit until the URB comes out of its queue, and is never touched by the library after that,
 * whatever the server still sends. A URB may be submitted again once it came out.
 *
 * A read whose time is up loses nothing: what the server sends for it is kept and given to the next
 * reads of that endpoint, in order. What is dropped, and when: explicit cancel,
 * uw_device_clear_halt, _set_altsetting, _set_configuration, _release, _reset and the end of the
 * import.
 *
 * A read ends when its buffer is full or at a short packet. If length is not a multiple of the
 * packet size and the last packet is longer than what is left, the status is OVERFLOW, as on real
 * hardware.
 *
 * Large OUT transfers are sent in several pieces, all under way at once, and so are isochronous
 * ones of more packets or bytes than servers take at a time; when one fails, the later ones are
 * taken back, and actual_length is what was acknowledged in order.
 *
 *     uw_urb_new(0, &urb);
 *     uw_urb_set_transfer(urb, device, 0x81, buffer, sizeof(buffer));
 *     uw_urb_set_timeout(urb, uw_msec(1000));
 *     uw_urb_submit(urb, queue);
 *     while (uw_queue_wait(queue, uw_never()) == 1)
 *         if (uw_queue_pop(queue) == urb)
 *             printf("%d, %zu bytes\n", uw_urb_status(urb), uw_urb_actual_length(urb));
 *
 * Threads: a URB belongs to one thread until it is submitted and after it came out of its queue.
 * uw_urb_cancel may be called from any thread.
 */
#ifndef USBWIRE_URB_H
#define USBWIRE_URB_H

#include <usbwire/device.h>
#include <usbwire/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_urb;

enum uw_urb_flags {
    UW_URB_SHORT_NOT_OK = 1, /* IN: less than asked for is the error SHORT */
    UW_URB_ZERO_PACKET = 2,  /* bulk OUT: end with a zero-length packet if the size asks for one */
    UW_URB_ISO_ASAP = 4      /* isochronous: start as soon as possible */
};

/* Makes a URB with room for `iso_packets` (0 for others). Free with uw_urb_free. NO_MEMORY */
int uw_urb_new(unsigned iso_packets, struct uw_urb **ret_urb);

/* Frees a URB that is not in flight. NULL is fine. */
void uw_urb_free(struct uw_urb *urb);

/* A control transfer on endpoint 0. `data` has wLength bytes; direction is bit 7 of request_type.
 */
void uw_urb_set_control(struct uw_urb *urb, struct uw_device *device, uint8_t request_type,
                        uint8_t request, uint16_t value, uint16_t index, void *data,
                        uint16_t length);

/* A transfer on any other endpoint; `endpoint` is its address, bit 7 set for IN. */
void uw_urb_set_transfer(struct uw_urb *urb, struct uw_device *device, uint8_t endpoint, void *data,
                         size_t length);

/* Isochronous: the number of packets in use and the length of each; packets lie behind one another
 * in the buffer. INVALID when there are more than the URB has room for. */
int uw_urb_set_iso_lengths(struct uw_urb *urb, unsigned packets, uint32_t length_each);
int uw_urb_set_iso_length(struct uw_urb *urb, unsigned packet, uint32_t length);

/* Duration after submit at which the URB completes with TIMEOUT; default: never. Exact: it does not
 * depend on the server. */
void uw_urb_set_timeout(struct uw_urb *urb, struct uw_usec timeout);

/* enum uw_urb_flags, or-ed. */
void uw_urb_set_flags(struct uw_urb *urb, unsigned flags);

/* Run by uw_queue_dispatch only. */
void uw_urb_set_callback(struct uw_urb *urb, void (*callback)(struct uw_urb *urb, void *data),
                         void *data);
void *uw_urb_callback_data(const struct uw_urb *urb);

/*
 * Hands the URB to its device. On error it was not taken and will not appear in the queue.
 * Errors: BUSY (already in flight), NOT_FOUND (no such endpoint in the active alternate settings),
 * INVALID, LIMIT, NOT_SUPPORTED (isochronous where the server cannot), NO_MEMORY, and why the
 * import ended if it did.
 */
int uw_urb_submit(struct uw_urb *urb, struct uw_queue *queue);

/* Asks for the end of a URB in flight; it comes out of its queue with CANCELLED, or complete if the
 * data won the race. NOT_FOUND when it is not in flight or already being cancelled. */
int uw_urb_cancel(struct uw_urb *urb);

/* Submits and waits, driving the loop; swallows signals. Returns the URB's status. */
int uw_urb_run(struct uw_urb *urb);

/* Results, valid once the URB came out of its queue. */
int uw_urb_status(const struct uw_urb *urb);           /* UW_OK or enum uw_error */
int uw_urb_raw_status(const struct uw_urb *urb);       /* as the server sent it */
size_t uw_urb_actual_length(const struct uw_urb *urb); /* bytes moved, also after an error */
const struct uw_iso_packet *uw_urb_iso_packet(const struct uw_urb *urb, unsigned packet);
unsigned uw_urb_iso_count(const struct uw_urb *urb);
int uw_urb_error_count(const struct uw_urb *urb); /* isochronous packets that failed */

/* The whole story of a failure. Needs the device: not after uw_device_free. Behind a broker its
 * code may be HELD where the status is TIMEOUT: the broker is asked what was in the way. */
void uw_urb_fault(const struct uw_urb *urb, struct uw_fault *ret_fault);

#ifdef __cplusplus
}
#endif
#endif
