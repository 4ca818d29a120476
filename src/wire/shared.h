/*
 * shared.h - what a broker (src/broker) understands besides USB/IP
 *
 * A broker is one process that holds an import and offers it to others of its user, as a USB/IP
 * server does. What they have to agree on among themselves are control requests of the reserved
 * type (USB 2.0 table 9-2), which no device knows, all of them IN with the device as recipient:
 *
 *     CLAIM    wIndex an interface: 1 byte, enum uw_shared_answer
 *     RELEASE  wIndex an interface: 1 byte, likewise
 *     CHANGED  1 byte, DONE: a reset showed that the device has become another; it is gone
 *     HOLDER   wValue an endpoint's address: text, what keeps a transfer there from its turn at a
 *              server that does one at a time; empty: nothing does
 *     STATE    UW_SHARED_STATE_SIZE bytes: the endpoints that others made start afresh since this
 *              was asked last (32 bits, the lowest first: OUT 0 to 15, IN 0 to 15), the
 *              configuration in force, the alternate setting of each interface; with wValue 1
 *              answered once that is news to who asks
 */
#ifndef UW_WIRE_SHARED_H
#define UW_WIRE_SHARED_H

/* How the path of a device behind a broker begins; the profile of its server and its path there
 * follow: "usbwire:linux:/sys/devices/...". */
#define UW_SHARED_PATH "usbwire:"

#define UW_SHARED_TYPE       0xe0
#define UW_SHARED_VALUE_AT   4u /* in STATE */
#define UW_SHARED_SETTINGS   (UW_SHARED_VALUE_AT + 1u)
#define UW_SHARED_HOLDER_MAX 128u
#define UW_SHARED_STATE_SIZE (UW_SHARED_SETTINGS + 256u)

enum uw_shared_request {
    UW_SHARED_CLAIM = 1,
    UW_SHARED_RELEASE = 2,
    UW_SHARED_STATE = 3,
    UW_SHARED_CHANGED = 4,
    UW_SHARED_HOLDER = 5
};

enum uw_shared_answer { UW_SHARED_DONE = 0, UW_SHARED_TAKEN = 1, UW_SHARED_UNKNOWN = 2 };

#endif
