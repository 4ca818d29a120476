/*
 * monitor.h - looking on while programs use their devices
 *
 * A program that offers its loops (uw_offer_new) lets other programs of the same user see what they
 * exchange: usbwire monitor, and Wireshark by usbwire extcap. Nothing is sent, and next to nothing
 * done, while nobody looks on.
 *
 * Who wants to look on makes a monitor. It puts a socket into the user's folder
 * ($XDG_RUNTIME_DIR/usbwire/taps, or /tmp/usbwire-UID/taps), closed to everybody else; programs
 * that offer their loops watch that folder, connect, and send captures (capture.h): each its own,
 * beginning with the descriptors of the devices it has. A monitor that reads too slowly loses whole
 * records and holds up nobody.
 *
 *     while (uw_monitor_next(monitor, uw_never(), &record) == 1)
 *         if (record.kind == 'S')
 *             printf("%s: %u bytes on %02x\n", record.server, (unsigned)record.length,
 * record.endpoint);
 *
 * Threads: a monitor belongs to one thread; uw_monitor_interrupt may be called from anywhere, also
 * from a signal handler. Offers: any thread.
 */
#ifndef USBWIRE_MONITOR_H
#define USBWIRE_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/capture.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_offer;

/* Offers what happens in a loop to monitors, from now on. Free it before the loop. NO_MEMORY;
 * NOT_SUPPORTED where there is no folder that is the user's alone. */
int uw_offer_new(struct uw_loop *loop, struct uw_offer **ret_offer);

/* Ends it; what monitors have not taken yet is given at most 2 s. NULL is fine. */
void uw_offer_free(struct uw_offer *offer);

struct uw_monitor;

/* One record, as usbmon has them. Pointers are borrowed until the next call on the monitor. */
struct uw_monitor_record {
    long process;        /* the program's process id */
    const char *program; /* its command line; "" when it is not known */
    const char *server;  /* "HOST:PORT" as the program named it */
    const char *busid;   /* of the device on its server; "" when it is not known */
    uint16_t vid, pid;   /* likewise, 0 */
    uint32_t stream;     /* counts up, one for each program that connects */
    uint32_t section;    /* of the stream */
    uint64_t stamp;      /* ns since 1970 */
    uint64_t id;         /* the same in a submission and its completion, unique in the stream */
    char kind;           /* 'S' submitted, 'C' completed, 'E' not sent */
    uint8_t type;        /* enum uw_transfer_type */
    uint8_t endpoint;    /* bit 7: IN */
    uint16_t bus;
    uint8_t address;
    int32_t status;   /* 'C': 0 or a negative errno, as the server sent it */
    uint32_t length;  /* 'S': asked for; 'C': moved */
    uint8_t setup[8]; /* 'S' on endpoint 0 */
    int32_t interval, start_frame;
    uint32_t iso_count, error_count;
    uint32_t data_total; /* bytes of data there were */
    const uint8_t *data; /* 'S' OUT, 'C' IN: those that were captured */
    size_t data_size;
    const char *comment; /* of the program's capture, or NULL */
    /* For uw_capture_forward. */
    const uint8_t *packet;
    size_t packet_size;
    uint32_t packet_original;
    uint32_t interface;
    const char *interface_description;
};

/* Starts to look on. Errors: NO_MEMORY, ACCESS (no folder that is the user's alone), IO. */
int uw_monitor_new(struct uw_monitor **ret_monitor, struct uw_fault *fault);
void uw_monitor_free(struct uw_monitor *monitor);

/* Waits at most `timeout` (a duration) for the next record of any program. 1, 0 when there was none
 * in time, INTERRUPTED after a signal or uw_monitor_interrupt. */
int uw_monitor_next(struct uw_monitor *monitor, struct uw_usec timeout,
                    struct uw_monitor_record *ret_record);

/* Ends one uw_monitor_next in progress, or the next. */
void uw_monitor_interrupt(struct uw_monitor *monitor);

/* Programs that are connected, and the servers they use: by index from 0, NULL past the end.
 * Borrowed until the next call on the monitor. */
unsigned uw_monitor_programs(const struct uw_monitor *monitor);
const char *uw_monitor_server(const struct uw_monitor *monitor, unsigned index);

/*
 * Puts a record into a capture, on an interface for each program and server. Buses and ids are made
 * unique in that capture. Errors: NO_MEMORY.
 */
int uw_capture_forward(struct uw_capture *capture, const struct uw_monitor_record *record);

#ifdef __cplusplus
}
#endif
#endif
