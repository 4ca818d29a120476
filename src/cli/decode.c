#include "decode.h"

#include <stdio.h>
#include <string.h>

#include <usbwire/usbwire.h>

#define ANY                 0x100
#define CDC                 0x02
#define CDC_DATA            0x0a
#define STORAGE             0x08
#define STANDARD            0
#define CLASS               1
#define RECIPIENT_INTERFACE 1
#define RECIPIENT_ENDPOINT  2

enum fields {
    NOTHING,
    RECIPIENT,
    FEATURE,
    VALUE,
    DESCRIPTOR,
    INTERFACE,
    ALTERNATE,
    CONTROL,
    LINE_CODING,
    LINES,
    MILLISECONDS,
    REPORT
};

struct request {
    uint16_t interface_class;
    uint8_t type, number;
    const char *name;
    enum fields fields;
};

static const struct request requests[] = {
#define REQUEST(class, type, number, name, fields) {class, type, number, name, fields},
#include "requests.def"
#undef REQUEST
};

/* The fields of a setup packet. */
struct setup {
    unsigned type, number, value, index;
};

static struct setup
read_setup(const uint8_t bytes[8])
{
    return (struct setup){.type = bytes[0],
                          .number = bytes[1],
                          .value = bytes[2] | (unsigned)bytes[3] << 8,
                          .index = bytes[4] | (unsigned)bytes[5] << 8};
}

/* ---- which class ---- */

static unsigned
slot(uint8_t endpoint)
{
    return (endpoint & 0x0fu) | (endpoint & 0x80 ? 16u : 0u);
}

static void
learn_interface(struct decoder *d, const struct uw_altsetting *a)
{
    uint8_t class = a->bInterfaceClass == CDC_DATA ? CDC : a->bInterfaceClass;

    d->interface_class[a->bInterfaceNumber] = class;
    for (unsigned i = 0; i < a->bNumEndpoints; i++)
        d->endpoint_class[slot(a->endpoints[i].bEndpointAddress)] = class;
    for (unsigned i = 0; i < d->num_classes; i++)
        if (d->classes[i] == class)
            return;
    if (d->num_classes < sizeof(d->classes))
        d->classes[d->num_classes++] = class;
}

void
decode_learn(struct decoder *d, const uint8_t setup[8], const uint8_t *bytes, size_t size)
{
    struct setup s = read_setup(setup);
    struct uw_config *config;

    if (s.type != 0x80 || s.number != 6 || s.value >> 8 != UW_DT_CONFIG || size < 10 ||
        uw_config_parse(bytes, size, &config) < 0)
        return;
    for (unsigned i = 0; i < config->bNumInterfaces; i++)
        for (unsigned k = 0; k < config->interfaces[i].num_altsettings; k++)
            learn_interface(d, &config->interfaces[i].altsettings[k]);
    uw_config_free(config);
}

/* The class a request is for; of the device, the first one it has. */
static uint8_t
class_of(const struct decoder *d, const struct setup *s)
{
    unsigned recipient = s->type & 0x1f;

    if (recipient == RECIPIENT_INTERFACE)
        return d->interface_class[s->index & 0xff];
    if (recipient == RECIPIENT_ENDPOINT)
        return d->endpoint_class[slot((uint8_t)s->index)];
    return d->num_classes ? d->classes[0] : 0;
}

static const struct request *
find_request(const struct decoder *d, const struct setup *s)
{
    unsigned type = s->type >> 5 & 3;
    unsigned class = type == STANDARD ? ANY : class_of(d, s);

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (requests[i].type == type && requests[i].number == s->number &&
            requests[i].interface_class == class)
            return &requests[i];
    return NULL;
}

/* ---- fields ---- */

static const char *
descriptor_name(unsigned type)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {
        {UW_DT_DEVICE, "DEVICE"},
        {UW_DT_CONFIG, "CONFIGURATION"},
        {UW_DT_STRING, "STRING"},
        {UW_DT_INTERFACE, "INTERFACE"},
        {UW_DT_ENDPOINT, "ENDPOINT"},
        {UW_DT_DEVICE_QUALIFIER, "DEVICE_QUALIFIER"},
        {UW_DT_OTHER_SPEED_CONFIG, "OTHER_SPEED_CONFIGURATION"},
        {UW_DT_OTG, "OTG"},
        {UW_DT_DEBUG, "DEBUG"},
        {UW_DT_BOS, "BOS"},
        {UW_DT_HID, "HID"},
        {UW_DT_REPORT, "HID REPORT"},
        {UW_DT_HUB, "HUB"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].type == type)
            return names[i].name;
    return NULL;
}

static void
put_descriptor(const struct setup *s, char *dst, size_t size)
{
    const char *name = descriptor_name(s->value >> 8);

    if (!name)
        snprintf(dst, size, " 0x%02x %u", s->value >> 8, s->value & 0xff);
    else if (s->value & 0xff)
        snprintf(dst, size, " %s %u", name, s->value & 0xff);
    else
        snprintf(dst, size, " %s", name);
}

static void
put_recipient(const struct setup *s, char *dst, size_t size)
{
    static const char *const names[] = {"device", "interface", "endpoint", "other"};
    unsigned recipient = s->type & 0x1f;

    if (recipient == 0 || recipient > 3)
        snprintf(dst, size, " of the %s", names[recipient ? 3 : 0]);
    else if (recipient == RECIPIENT_ENDPOINT)
        snprintf(dst, size, " of endpoint 0x%02x", s->index & 0xff);
    else
        snprintf(dst, size, " of %s %u", names[recipient], s->index);
}

static void
put_feature(const struct setup *s, char *dst, size_t size)
{
    static const struct {
        uint8_t recipient;
        uint16_t value;
        const char *name;
    } names[] = {{RECIPIENT_ENDPOINT, 0, "ENDPOINT_HALT"},
                 {0, 1, "DEVICE_REMOTE_WAKEUP"},
                 {0, 2, "TEST_MODE"},
                 {RECIPIENT_INTERFACE, 0, "FUNCTION_SUSPEND"}};
    size_t n = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].recipient == (s->type & 0x1f) && names[i].value == s->value)
            n = (size_t)snprintf(dst, size, " %s", names[i].name);
    if (!n)
        n = (size_t)snprintf(dst, size, " %u", s->value);
    put_recipient(s, dst + n, size - n);
}

static void
put_fields(const struct setup *s, enum fields fields, char *dst, size_t size)
{
    static const char *const reports[] = {"", " input", " output", " feature"};

    switch (fields) {
    case NOTHING: break;
    case RECIPIENT: put_recipient(s, dst, size); break;
    case FEATURE: put_feature(s, dst, size); break;
    case VALUE: snprintf(dst, size, " %u", s->value); break;
    case DESCRIPTOR: put_descriptor(s, dst, size); break;
    case LINE_CODING:
    case INTERFACE: snprintf(dst, size, " of interface %u", s->index); break;
    case ALTERNATE: snprintf(dst, size, " %u alternate %u", s->index, s->value); break;
    case CONTROL:
        snprintf(dst, size, " control 0x%02x unit %u", s->value >> 8, s->index >> 8);
        break;
    case LINES:
        snprintf(dst, size, " %s %s", s->value & 1 ? "DTR" : "dtr", s->value & 2 ? "RTS" : "rts");
        break;
    case MILLISECONDS: snprintf(dst, size, " %u ms", s->value); break;
    case REPORT:
        snprintf(dst, size, "%s %u", s->value >> 8 < 4 ? reports[s->value >> 8] : " ?",
                 s->value & 0xff);
        break;
    }
}

char *
decode_request(const struct decoder *d, const uint8_t setup[8], char *dst, size_t size)
{
    static const char *const types[] = {"standard", "class", "vendor", "reserved"};
    struct setup s = read_setup(setup);
    const struct request *r = find_request(d, &s);
    size_t n;

    if (!r) {
        snprintf(dst, size, "%s request 0x%02x value 0x%04x index 0x%04x", types[s.type >> 5 & 3],
                 s.number, s.value, s.index);
        return dst;
    }
    n = (size_t)snprintf(dst, size, "%s", r->name);
    if (n < size)
        put_fields(&s, r->fields, dst + n, size - n);
    return dst;
}

/* ---- data ---- */

static uint32_t
le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* PSTN 1.2 table 17. */
static void
put_line_coding(const uint8_t *b, char *dst, size_t size)
{
    static const char *const stops[] = {"1", "1.5", "2"};
    static const char parities[] = "NOEMS";

    snprintf(dst, size, "%u %u%c%s", le32(b), b[6], b[5] < 5 ? parities[b[5]] : '?',
             b[4] < 3 ? stops[b[4]] : "?");
}

char *
decode_answer(const struct decoder *d, const uint8_t setup[8], const uint8_t *bytes, size_t count,
              char *dst, size_t size)
{
    struct setup s = read_setup(setup);
    const struct request *r = find_request(d, &s);

    dst[0] = '\0';
    if (r && r->fields == LINE_CODING && count >= 7)
        put_line_coding(bytes, dst, size);
    else if (s.type == 0x80 && s.number == 6 && s.value == UW_DT_DEVICE << 8 && count >= 18)
        snprintf(dst, size, "%02x%02x:%02x%02x, USB %x.%x", bytes[9], bytes[8], bytes[11],
                 bytes[10], bytes[3], bytes[2] >> 4);
    return dst;
}

/* SCSI commands by operation code, SPC-4 and SBC-3. */
static const char *
scsi_name(uint8_t code)
{
    static const struct {
        uint8_t code;
        const char *name;
    } names[] = {
        {0x00, "TEST UNIT READY"},   {0x03, "REQUEST SENSE"},
        {0x12, "INQUIRY"},           {0x15, "MODE SELECT (6)"},
        {0x1a, "MODE SENSE (6)"},    {0x1b, "START STOP UNIT"},
        {0x1e, "PREVENT REMOVAL"},   {0x23, "READ FORMAT CAPACITIES"},
        {0x25, "READ CAPACITY"},     {0x28, "READ (10)"},
        {0x2a, "WRITE (10)"},        {0x2f, "VERIFY (10)"},
        {0x35, "SYNCHRONIZE CACHE"}, {0x43, "READ TOC"},
        {0x46, "GET CONFIGURATION"}, {0x4a, "GET EVENT STATUS"},
        {0x5a, "MODE SENSE (10)"},   {0x88, "READ (16)"},
        {0x8a, "WRITE (16)"},        {0x9e, "SERVICE ACTION IN (16)"},
        {0xa0, "REPORT LUNS"},       {0xa8, "READ (12)"},
        {0xaa, "WRITE (12)"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].code == code)
            return names[i].name;
    return NULL;
}

/* Mass Storage Bulk-Only 1.0, tables 5.1 and 5.2. */
static void
put_storage(const uint8_t *b, size_t count, char *dst, size_t size)
{
    static const char *const ends[] = {"passed", "failed", "phase error"};
    const char *name;

    if (count == 31 && memcmp(b, "USBC", 4) == 0) {
        name = scsi_name(b[15]);
        if (name)
            snprintf(dst, size, "SCSI %s, %u bytes", name, le32(b + 8));
        else
            snprintf(dst, size, "SCSI command 0x%02x, %u bytes", b[15], le32(b + 8));
    } else if (count == 13 && memcmp(b, "USBS", 4) == 0) {
        snprintf(dst, size, "SCSI %s", b[12] < 3 ? ends[b[12]] : "nonsense");
    }
}

/* PSTN 1.2 table 31, SERIAL_STATE. */
static void
put_notification(const uint8_t *b, size_t count, char *dst, size_t size)
{
    if (count >= 10 && b[0] == 0xa1 && b[1] == 0x20)
        snprintf(dst, size, "SERIAL_STATE%s%s%s%s", b[8] & 1 ? " DCD" : " dcd",
                 b[8] & 2 ? " DSR" : " dsr", b[8] & 4 ? " break" : "", b[8] & 8 ? " RI" : "");
}

char *
decode_data(const struct decoder *d, uint8_t endpoint, const uint8_t *bytes, size_t count,
            char *dst, size_t size)
{
    uint8_t class = d->endpoint_class[slot(endpoint)];

    dst[0] = '\0';
    if (class == STORAGE)
        put_storage(bytes, count, dst, size);
    else if (class == CDC)
        put_notification(bytes, count, dst, size);
    return dst;
}
