#include "hidreport.h"

#include <string.h>

#include "layout.h"
#include "names.h"

enum item_type { ITEM_MAIN, ITEM_GLOBAL, ITEM_LOCAL, ITEM_RESERVED };

static const char *const type_names[] = {"Main", "Global", "Local", "Reserved"};

/* By prefix without its two bits of size, HID 1.11 6.2.2.4, 6.2.2.7, 6.2.2.8. */
static const struct {
    uint8_t prefix;
    const char *name;
} item_names[] = {
    {0x80, "Input"},
    {0x90, "Output"},
    {0xb0, "Feature"},
    {0xa0, "Collection"},
    {0xc0, "End Collection"},
    {0x04, "Usage Page"},
    {0x14, "Logical Minimum"},
    {0x24, "Logical Maximum"},
    {0x34, "Physical Minimum"},
    {0x44, "Physical Maximum"},
    {0x54, "Unit Exponent"},
    {0x64, "Unit"},
    {0x74, "Report Size"},
    {0x84, "Report ID"},
    {0x94, "Report Count"},
    {0xa4, "Push"},
    {0xb4, "Pop"},
    {0x08, "Usage"},
    {0x18, "Usage Minimum"},
    {0x28, "Usage Maximum"},
    {0x38, "Designator Index"},
    {0x48, "Designator Minimum"},
    {0x58, "Designator Maximum"},
    {0x78, "String Index"},
    {0x88, "String Minimum"},
    {0x98, "String Maximum"},
    {0xa8, "Delimiter"},
};

static const char *const collections[] = {"Physical",    "Application",  "Logical",       "Report",
                                          "Named Array", "Usage Switch", "Usage Modifier"};

/* Bits of Input, Output and Feature: what 0 and 1 mean. */
static const char *const main_bits[][2] = {
    {"Data", "Constant"},
    {"Array", "Variable"},
    {"Absolute", "Relative"},
    {"No_Wrap", "Wrap"},
    {"Linear", "Non_Linear"},
    {"Preferred_State", "No_Preferred_State"},
    {"No_Null_Position", "Null_State"},
    {"Non_Volatile", "Volatile"},
    {"Bitfield", "Buffered Bytes"},
};

static const char *
item_name(uint8_t prefix)
{
    for (size_t i = 0; i < sizeof(item_names) / sizeof(item_names[0]); i++)
        if (item_names[i].prefix == (prefix & 0xfc))
            return item_names[i].name;
    return "Unknown";
}

static void
describe_main(uint32_t value, char *buf, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < sizeof(main_bits) / sizeof(main_bits[0]) && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? " " : "",
                                main_bits[i][value >> i & 1u]);
}

/* What the data of an item means, or "". `page` is the usage page in force. */
static void
describe(uint8_t prefix, uint32_t value, uint16_t *page, char *buf, size_t size)
{
    const char *name = item_name(prefix);

    buf[0] = '\0';
    if (strcmp(name, "Usage Page") == 0)
        names_usage_page(*page = (uint16_t)value, buf, size);
    else if (strncmp(name, "Usage", 5) == 0 && value > 0xffff)
        names_usage((uint16_t)(value >> 16), (uint16_t)value, buf, size);
    else if (strncmp(name, "Usage", 5) == 0)
        names_usage(*page, (uint16_t)value, buf, size);
    else if (strcmp(name, "Collection") == 0 && value < sizeof(collections) / sizeof(*collections))
        snprintf(buf, size, "%s", collections[value]);
    else if ((prefix & 0xcc) == 0x80 && (prefix & 0xfc) != 0xa0)
        describe_main(value, buf, size);
}

static void
show_item(struct sink *sink, const uint8_t *bytes, size_t size, uint16_t *page)
{
    char line[NAMES_MAX + 96], meaning[NAMES_MAX + 32];
    uint8_t prefix = bytes[0];
    uint32_t value = layout_number(bytes, size, 1, size - 1);
    int n = snprintf(line, sizeof(line), "Item(%-6s): %s, data=", type_names[prefix >> 2 & 3],
                     item_name(prefix));

    if (size > 1) {
        n += snprintf(line + n, sizeof(line) - (size_t)n, " [");
        for (size_t i = 1; i < size; i++)
            n += snprintf(line + n, sizeof(line) - (size_t)n, " 0x%02x", bytes[i]);
        n += snprintf(line + n, sizeof(line) - (size_t)n, " ] %u", value);
    } else {
        n += snprintf(line + n, sizeof(line) - (size_t)n, "none");
    }
    describe(prefix, value, page, meaning, sizeof(meaning));
    if (*meaning)
        snprintf(line + n, sizeof(line) - (size_t)n, " (%s)", meaning);
    sink_remark(sink, line);
}

void
hidreport_show(struct sink *sink, const uint8_t *bytes, size_t size)
{
    static const uint8_t data_sizes[] = {0, 1, 2, 4};
    char title[64];
    uint16_t page = 0;

    snprintf(title, sizeof(title), "Report Descriptor: (length is %zu)", size);
    sink_open(sink, "report", 0, title);
    for (size_t at = 0; sink->text && at < size;) {
        /* 0xfe starts a long item: its data size is in the next byte, two bytes precede the data */
        size_t n = bytes[at] == 0xfe ? 3u + layout_number(bytes, size, at + 1, 1)
                                     : 1u + data_sizes[bytes[at] & 3];
        if (n > size - at) {
            sink_remark(sink, "(the report descriptor ends here, too early)");
            break;
        }
        if (bytes[at] == 0xfe)
            sink_bytes(sink, "Long item", bytes + at, n);
        else
            show_item(sink, bytes + at, n, &page);
        at += n;
    }
    if (!sink->text)
        sink_bytes(sink, "bytes", bytes, size);
    sink_close(sink);
}
