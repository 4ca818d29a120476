/*
 * driver.h - what the port needs to know of a chip family
 *
 * One driver a file, and drivers.def lists them. A driver is pure: plans of control requests out
 * (plan.h), bytes of the chip in. ids.def and quirks.def say which device is whose.
 *
 * All of it is single-threaded; the port holds the loop's lock.
 */
#ifndef UW_SERIAL_DRIVER_H
#define UW_SERIAL_DRIVER_H

#include <usbwire/descriptor.h>
#include <usbwire/serial.h>

#include "serial/plan.h"

#define SERIAL_RESETS_ON_DTR 1u /* quirk: the board has a capacitor from DTR to its reset */
#define SERIAL_RESETS_ON_RTS 2u /* quirk: RTS without DTR resets the device itself */

/* A row of quirks.def. */
struct serial_quirk {
    uint16_t vid, pid;
    unsigned quirks;
    const char *name;
};

/* What the line is set to; nothing in it is -1. */
struct serial_line {
    unsigned baud;
    unsigned data_bits, parity, stop_bits, flow;
    unsigned xon, xoff;
    unsigned latency;
};

/* What a chip has told. */
struct serial_inputs {
    unsigned lines;                            /* CTS, DSR, DCD, RI of enum uw_serial_line */
    unsigned breaks, framing, parity, overrun; /* counted up */
};

struct serial_driver;

/* One port of one chip. */
struct serial_chip {
    const struct serial_driver *driver;
    const char *name;
    unsigned quirks;
    uint16_t vid, pid, bcd_device, bcd_usb;
    uint8_t device_class, max_packet0;
    uint8_t interface;       /* what control requests address, and the port's name */
    uint8_t data_interface;  /* with the endpoints; most often the same */
    unsigned index;          /* which port of the device */
    unsigned ports;          /* of how many */
    uint8_t in, out, notify; /* endpoint addresses; notify 0: none */
    unsigned max_packet;     /* of `in` */
    unsigned type, version;  /* the driver's own */
    uint8_t capabilities;    /* CDC: bmCapabilities */
    uint8_t registers[4];    /* the driver's own: what it must write back */
    unsigned break_baud;     /* it has no break: a zero byte at this rate is one; 0: it has */
    unsigned actual_baud;    /* set by the driver's set_line */
    struct serial_inputs inputs;
};

struct serial_driver {
    const char *name;
    unsigned answers : 1;      /* answers a read by itself after a while: one can always be open */
    unsigned counts : 1;       /* `answer` knows how many bytes wait at the chip */
    unsigned waits : 1;        /* its devices wait while they are not read: nothing is lost */
    unsigned raises_lines : 1; /* its devices may be silent without DTR */

    /* The chip of a port: complete but for what has to be asked. 0, or NOT_FOUND when this
     * interface is none of the driver's ports. */
    int (*describe)(struct serial_chip *chip, const struct uw_config *config,
                    const struct uw_altsetting *interface);

    /* What has to be asked first (may be NULL) and what it brought: reply `step`, negative error in
     * `length` when that one failed. */
    void (*identify)(const struct serial_chip *chip, struct serial_plan *plan);
    void (*learn)(struct serial_chip *chip, unsigned step, const uint8_t *data, int length);

    /* Before the first set_line; and the other way round (may be NULL). */
    void (*open)(struct serial_chip *chip, struct serial_plan *plan);
    void (*close)(const struct serial_chip *chip, struct serial_plan *plan);

    /* The line as `to`; `from` is what was set before, NULL: not known. Errors: NOT_SUPPORTED with
     * *ret_why, a clause that says what the chip cannot do; the plan may then be anything. */
    int (*set_line)(struct serial_chip *chip, const struct serial_line *from,
                    const struct serial_line *to, struct serial_plan *plan, const char **ret_why);

    /* Output lines, both at once. `mask`: which of DTR and RTS change. */
    void (*set_lines)(struct serial_chip *chip, unsigned lines, unsigned mask,
                      struct serial_plan *plan);
    void (*set_break)(struct serial_chip *chip, int on, struct serial_plan *plan);
    void (*purge)(const struct serial_chip *chip, unsigned buffers, struct serial_plan *plan);

    /* Asks for inputs (NULL: they are told), and what it brought. Returns how many bytes wait at
     * the chip, where it knows. */
    void (*ask)(const struct serial_chip *chip, struct serial_plan *plan);
    size_t (*answer)(struct serial_chip *chip, unsigned step, const uint8_t *data, int length);

    /* Takes out of what one read brought what is not data (NULL: nothing is), in place; returns
     * what is left. */
    size_t (*receive)(struct serial_chip *chip, uint8_t *bytes, size_t size);

    /* What the interrupt endpoint brought. */
    void (*notified)(struct serial_chip *chip, const uint8_t *bytes, size_t size);
};

#define SERIAL_DRIVER_X(name) extern const struct serial_driver serial_##name;
#include "serial/drivers.def"
#undef SERIAL_DRIVER_X

/* Port `index` of a device as descriptors tell it: 1; 0: there is none. */
int serial_chip_at(const struct uw_device_descriptor *device, const struct uw_config *config,
                   unsigned index, struct serial_chip *ret_chip);

/* 1 when ids.def gives the device to a driver. */
int serial_id_is(const struct serial_driver *driver, uint16_t vid, uint16_t pid);

/* The row of quirks.def for a device, or NULL. */
const struct serial_quirk *serial_quirk_find(uint16_t vid, uint16_t pid);

/* The endpoints of an interface into the chip. NOT_FOUND: no pair of bulk endpoints. */
int serial_take_endpoints(struct serial_chip *chip, const struct uw_altsetting *data);

#endif
