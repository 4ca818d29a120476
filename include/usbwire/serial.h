/*
 * serial.h - serial ports: CDC-ACM, CP210x, FTDI, CH34x, PL2303
 *
 * A struct uw_serial is one open port of an imported device. Opening it claims the port's
 * interfaces, asks the chip what it is where that is needed, and sends its line settings. It never
 * resets a board: DTR and RTS stay as they are unless a config says otherwise - but for CDC-ACM
 * devices, many of which stay silent without DTR: both are raised there in one request, which
 * boards with the two-transistor reset circuit ignore. Boards that are known to reset on DTR are
 * left alone, too.
 *
 *     struct uw_serial_config config;
 *     uw_serial_config_init(&config);
 *     config.baud = 115200;
 *     if (uw_serial_open(loop, "usbip://bench1/1-1.2", &config, &port, &fault) < 0)
 *         ...;
 *     uw_serial_write(port, "AT\r", 3, uw_msec(1000), &fault);
 *     n = uw_serial_read(port, buf, sizeof(buf), 1, uw_msec(1000), &fault);
 *     uw_serial_free(port);
 *
 * While a port is open the library has a thread of its own in the loop. It reads ahead into a
 * buffer of the port, so that the chip's small one does not overflow while the program is busy, and
 * writes what was put into the output buffer. Servers on which an open read blocks everything else
 * are read only where that can do no harm: chips that answer by themselves (FTDI) or can be asked
 * first (CP210x) in the background, others only while somebody waits in uw_serial_read or
 * uw_serial_wait, or, for who polls uw_serial_fd, from what was written until an answer came;
 * writes then wait for the device and fail with HELD when such a read is in their way. A device
 * that mostly speaks unasked is better read all the time, see uw_serial_config.read_ahead.
 *
 * DTR and RTS. Boards with a reset circuit look at both lines, so a change of one is held for up to
 * 2 ms and sent together with a following change of the other in one request; setting a line to
 * the value it has counts as that. Any other use of the port sends it first. Given both at once
 * they are sent at once.
 *
 * When the device goes away, or its server does, reads give what came until then, and after that -
 * as all other calls - NO_DEVICE or CONNECTION_LOST. uw_serial_reopen brings the same port back on
 * the device's successor. When it stays but is reset by somebody else - another program that shares
 * it, this one, the library for a new connection -, settings and lines are put back before anything
 * more is written, and reads go on.
 *
 * Threads: any, at any time; two threads that read at the same time share what comes. Not while or
 * after uw_serial_free.
 */
#ifndef USBWIRE_SERIAL_H
#define USBWIRE_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/device.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_serial;

enum uw_serial_parity {
    UW_PARITY_NONE = 0,
    UW_PARITY_ODD = 1,
    UW_PARITY_EVEN = 2,
    UW_PARITY_MARK = 3,
    UW_PARITY_SPACE = 4
};

enum uw_serial_stop { UW_STOP_1 = 0, UW_STOP_1_5 = 1, UW_STOP_2 = 2 };

enum uw_serial_flow {
    UW_FLOW_NONE = 0,
    UW_FLOW_RTS_CTS = 1, /* the chip moves RTS and looks at CTS */
    UW_FLOW_XON_XOFF = 2 /* the chip sends and obeys the two characters */
};

/* Settings. -1 in a field: leave it as it is; in a first config: the default, which is 115200 8N1
 * without flow control. */
struct uw_serial_config {
    size_t size;    /* sizeof(struct uw_serial_config) */
    int baud;       /* bits a second */
    int data_bits;  /* 5 to 8 */
    int parity;     /* enum uw_serial_parity */
    int stop_bits;  /* enum uw_serial_stop */
    int flow;       /* enum uw_serial_flow */
    int xon, xoff;  /* characters of XON_XOFF; 0x11 and 0x13 */
    int dtr, rts;   /* 0 or 1 */
    int latency;    /* FTDI: how long the chip keeps less than a packet, 1 to 255 ms; 2 */
    int interface;  /* open only: bInterfaceNumber of the port; -1: the only one there is */
    int buffer;     /* open only: bytes of the input buffer, 4096 to 2^26; 1 MiB */
    int poll_lines; /* ms between questions for modem inputs and line errors to chips that do not
                     * tell by themselves (CP210x), 10 to 60000; 0: they are asked by
                     * uw_serial_lines only; 0 */
    int hang_up;    /* 1: closing drops DTR and RTS in one request, if this port raised one; 1 */
    int read_ahead; /* 1: read ahead on every server. Where an open read blocks everything else,
                     * all that is written, and all other clients, wait for the device to say
                     * something; 0 */
};

/* Every field "leave it". */
void uw_serial_config_init(struct uw_serial_config *config);

/* Data bits, parity and stop bits from a word as people write it: "8N1", "7e2", "8N1.5". INVALID,
 * and nothing changed, for any other. */
int uw_serial_config_format(struct uw_serial_config *config, const char *format);

/* One port of a device, open or not. */
struct uw_serial_info {
    const char *driver; /* "cdc-acm", "cp210x", "ftdi", "ch341", "pl2303"; static */
    const char *chip;   /* "CP2105"; as far as it is known without asking; static */
    unsigned interface; /* bInterfaceNumber to ask for */
    unsigned index;     /* which port of the device, from 0 */
    int reads_ahead;    /* 0: what the device says is not read before somebody waits for it, see
                         * uw_serial_config.read_ahead; as far as the server is known by now */
};

/* The serial ports of a device by index from 0: 1, and 0 past the end. No I/O. */
int uw_serial_port_at(struct uw_device *device, unsigned index, struct uw_serial_info *ret_info);

/*
 * Opens a port by URL:
 *
 *     usbip://HOST[:PORT][/BUSID][?KEY=VALUE&...]
 *
 * The keys choose the device (vid, pid in hex; serial; wait: seconds to wait for it) and its port
 * (interface), or are settings: baud, format ("8N1", "7E1", "8N1.5"), flow (none, rtscts, xonxoff),
 * dtr, rts, readahead (0 or 1), latency (ms). %XX is understood. What the URL says counts before
 * `config` (NULL: defaults). Free with uw_serial_free. Errors: INVALID (URL or settings), those of
 * uw_find, NOT_FOUND (no serial port, or not that interface), AMBIGUOUS (several ports, none
 * chosen), NOT_SUPPORTED (a setting that the chip cannot do), BUSY (the port is open already),
 * NO_MEMORY, and any of a transfer.
 */
int uw_serial_open(struct uw_loop *loop, const char *url, const struct uw_serial_config *config,
                   struct uw_serial **ret_port, struct uw_fault *fault);

/* The same on an imported device, of which the port keeps a reference. */
int uw_serial_open_device(struct uw_device *device, const struct uw_serial_config *config,
                          struct uw_serial **ret_port, struct uw_fault *fault);

/* Closes: what is still to be written is given up (see uw_serial_drain), a break ends, lines are
 * dropped as config.hang_up says, the interfaces are released. NULL is fine. */
void uw_serial_free(struct uw_serial *port);

/* Borrowed until the port is freed or opened again. */
struct uw_device *uw_serial_device(struct uw_serial *port);
void uw_serial_info(struct uw_serial *port, struct uw_serial_info *ret_info);

/* UW_OK while the port lives, else why it ended. */
int uw_serial_status(struct uw_serial *port);

/*
 * Finds the device's successor (uw_device_find_again) within `timeout` and opens the port on it
 * with the settings and lines in force, lines as they were set last. What was received stays
 * readable; what was not written yet is given up. Also on a port that lives: then it is closed
 * first. Errors: those of finding and opening; the port then stays ended and this may be called
 * again.
 */
int uw_serial_reopen(struct uw_serial *port, struct uw_usec timeout, struct uw_fault *fault);

/* Changes what is not -1. INVALID, NOT_SUPPORTED: nothing was changed. A rate counts as one that
 * the chip cannot do when what it would make is more than 3% off. Of a port that has ended the
 * settings are remembered, for uw_serial_reopen, besides the error. */
int uw_serial_set_config(struct uw_serial *port, const struct uw_serial_config *config,
                         struct uw_fault *fault);

/* What is in force, no field -1 but lines that were never set. */
void uw_serial_get_config(struct uw_serial *port, struct uw_serial_config *ret_config);

/* The rate that the chip really makes of the one in force, in bits a second; the one in force where
 * the chip does not tell how it makes it. */
unsigned uw_serial_actual_baud(struct uw_serial *port);

/*
 * Reads up to `size` bytes: returns as soon as `least` of them are there or `timeout` (a duration;
 * 0: does not wait) is over, with their number, which is less than `least`, and may be 0, only
 * after the timeout. least == size is a blocking read, least == 1 waits for anything.
 * Errors, when no byte is there: CANCELLED (uw_serial_cancel), and why the port ended.
 */
long uw_serial_read(struct uw_serial *port, void *buf, size_t size, size_t least,
                    struct uw_usec timeout, struct uw_fault *fault);

/* Bytes that can be read at once. */
size_t uw_serial_input_waiting(struct uw_serial *port);

/*
 * Puts bytes into the output buffer (64 KiB), waiting for room until `timeout` (0: takes what there
 * is room for) is over. Returns how many were taken. Errors, when none was: CANCELLED, HELD, why
 * the port ended, and - once - why what was written before could not be delivered.
 */
long uw_serial_write(struct uw_serial *port, const void *buf, size_t size, struct uw_usec timeout,
                     struct uw_fault *fault);

/* Bytes in the output buffer that the device has not taken yet. */
size_t uw_serial_output_waiting(struct uw_serial *port);

/* Waits until the device has taken everything. TIMEOUT, and as uw_serial_write. */
int uw_serial_drain(struct uw_serial *port, struct uw_usec timeout, struct uw_fault *fault);

enum uw_serial_buffers { UW_SERIAL_INPUT = 1, UW_SERIAL_OUTPUT = 2 };

/* Throws away what is in the buffers (or-ed), those of the chip included. */
int uw_serial_flush(struct uw_serial *port, unsigned buffers, struct uw_fault *fault);

/* Ends every wait in progress on this port with CANCELLED, and none to come. */
void uw_serial_cancel(struct uw_serial *port);

enum uw_serial_line {
    UW_LINE_DTR = 1,
    UW_LINE_RTS = 2,
    UW_LINE_CTS = 4,
    UW_LINE_DSR = 8,
    UW_LINE_DCD = 16,
    UW_LINE_RI = 32
};

/* Sets DTR and RTS: 0, 1, or -1 for "as it is". Both given: one request, at once. One given: as the
 * page above says; an error of it is given by the next call. Of a port that has ended they are
 * remembered, for uw_serial_reopen, besides the error. */
int uw_serial_set_lines(struct uw_serial *port, int dtr, int rts, struct uw_fault *fault);

/* The lines (or-ed), outputs as they were set. Asks chips that do not tell by themselves; of those
 * that have no such input CTS reads as set. */
int uw_serial_lines(struct uw_serial *port, struct uw_fault *fault);

/* Starts (1) and ends (0) a break. NOT_SUPPORTED where the chip has none. With some CH340 it is a
 * byte at their lowest rate: what was written before goes first (TIMEOUT where it does not), it
 * lasts 0.2 s, for whose end the end waits, and what is written meanwhile waits for that, too. */
int uw_serial_set_break(struct uw_serial *port, int on, struct uw_fault *fault);

/* What has happened since the port was opened. Counts wrap. */
struct uw_serial_counts {
    uint64_t received, sent;          /* bytes */
    uint64_t lost;                    /* received bytes for which the buffer had no room */
    uint32_t cts, dsr, dcd, ri;       /* changes; ri: ends of a ring */
    uint32_t breaks, framing, parity; /* on the line */
    uint32_t overrun;                 /* the chip lost bytes */
};

void uw_serial_counts(struct uw_serial *port, struct uw_serial_counts *ret_counts);

enum uw_serial_event {
    UW_SERIAL_READABLE = 1, /* there is something to read */
    UW_SERIAL_WRITABLE = 2, /* the output buffer has room */
    UW_SERIAL_CHANGED = 4,  /* a modem input changed or a line error was counted since the last
                             * uw_serial_counts */
    UW_SERIAL_ENDED = 8     /* uw_serial_status is not OK */
};

/* Waits for any of `events` (ENDED always counts). Returns those that hold, 0 after the timeout;
 * CANCELLED. */
int uw_serial_wait(struct uw_serial *port, unsigned events, struct uw_usec timeout);

/* A descriptor that is readable (POLLIN) while READABLE, CHANGED or ENDED holds. Nothing has to be
 * driven, nor may it be read. Borrowed until the port is freed. Negative: an error. */
int uw_serial_fd(struct uw_serial *port);

#ifdef __cplusplus
}
#endif
#endif
