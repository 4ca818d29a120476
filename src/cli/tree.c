#include "tree.h"

#include <string.h>

#include <usbwire/descriptor.h>

#include "hidreport.h"
#include "layout.h"

#define REPORT_MAX 4096

/* bmRequestType of GET_DESCRIPTOR to an interface */
#define FROM_INTERFACE 0x81

/* A walk through a configuration. */
struct walk {
    struct sink *sink;
    const struct tree_source *source;
    struct layout_place place;
    uint8_t interface_number;
    unsigned open; /* objects open inside the configuration: interface, endpoint */
};

static struct layout_place
place_outside(const struct tree_source *source)
{
    struct layout_place place = {.power_unit = 2, .string = source->string, .data = source->data};

    return place;
}

void
tree_single(struct sink *sink, const struct tree_source *source, const char *key,
            const uint8_t *bytes, size_t size)
{
    struct layout_place place = place_outside(source);

    if (size >= 2)
        layout_show(sink, &place, key, 0, bytes, size, 0);
}

void
tree_device(struct sink *sink, const struct tree_source *source, const uint8_t *bytes, size_t size)
{
    tree_single(sink, source, "device", bytes, size);
}

static void
close_down_to(struct walk *walk, unsigned open)
{
    for (; walk->open > open; walk->open--)
        sink_close(walk->sink);
}

static void
show_report(struct walk *walk, size_t length)
{
    uint8_t report[REPORT_MAX];
    uint16_t size = (uint16_t)(length < sizeof(report) ? length : sizeof(report));
    int n = walk->source->read(walk->source->data, FROM_INTERFACE, UW_DT_REPORT,
                               walk->interface_number, report, size);

    if (n > 0)
        hidreport_show(walk->sink, report, (size_t)n);
    else
        sink_remark(walk->sink, "(the report descriptor could not be read)");
}

/* wDescriptorLength of the report among the class descriptors that a HID descriptor lists. */
static size_t
report_length(const struct uw_extra *hid)
{
    for (size_t at = 6; at + 3 <= hid->size; at += 3)
        if (hid->bytes[at] == UW_DT_REPORT)
            return layout_number(hid->bytes, hid->size, at + 1, 2);
    return 0;
}

/* Of a class, of a vendor, or unknown. */
static void
show_other(struct walk *walk, const struct uw_extra *one)
{
    int is_hid = one->bytes[1] == UW_DT_HID && walk->place.class == 3;

    layout_show(walk->sink, &walk->place, "others", 1, one->bytes, one->size, is_hid);
    if (!is_hid)
        return;
    if (report_length(one))
        show_report(walk, report_length(one));
    sink_close(walk->sink);
}

static void
show_interface(struct walk *walk, const struct uw_extra *one)
{
    close_down_to(walk, 0);
    layout_show(walk->sink, &walk->place, "interfaces", 1, one->bytes, one->size, 1);
    walk->open = 1;
    walk->interface_number = (uint8_t)layout_number(one->bytes, one->size, 2, 1);
    walk->place.class = (uint8_t)layout_number(one->bytes, one->size, 5, 1);
    walk->place.subclass = (uint8_t)layout_number(one->bytes, one->size, 6, 1);
    walk->place.protocol = (uint8_t)layout_number(one->bytes, one->size, 7, 1);
}

static void
show_one(struct walk *walk, const struct uw_extra *one)
{
    uint8_t type = one->bytes[1];

    if (type == UW_DT_INTERFACE) {
        show_interface(walk, one);
    } else if (type == UW_DT_ENDPOINT) {
        close_down_to(walk, 1);
        layout_show(walk->sink, &walk->place, "endpoints", 1, one->bytes, one->size, 1);
        walk->open++;
    } else if (type == UW_DT_INTERFACE_ASSOCIATION) {
        struct layout_place none = place_outside(walk->source);
        close_down_to(walk, 0);
        layout_show(walk->sink, &none, "associations", 1, one->bytes, one->size, 0);
    } else {
        show_other(walk, one);
    }
}

void
tree_config(struct sink *sink, const struct tree_source *source, int super, const uint8_t *bytes,
            size_t size)
{
    struct walk walk = {.sink = sink, .source = source, .place = place_outside(source)};
    struct uw_extra rest = {bytes, size}, one;

    walk.place.power_unit = super ? 8 : 2;
    if (uw_descriptor_next(&rest, &one) <= 0 || one.size < 2)
        return;
    layout_show(sink, &walk.place, "configurations", 1, one.bytes, one.size, 1);
    while (uw_descriptor_next(&rest, &one) > 0 && one.size >= 2)
        show_one(&walk, &one);
    close_down_to(&walk, 0);
    if (rest.size)
        sink_bytes(sink, "rest", rest.bytes, rest.size);
    sink_close(sink);
}

void
tree_bos(struct sink *sink, const struct tree_source *source, const uint8_t *bytes, size_t size)
{
    struct layout_place place = place_outside(source);
    struct uw_extra rest = {bytes, size}, one;

    if (uw_descriptor_next(&rest, &one) <= 0 || one.size < 2)
        return;
    layout_show(sink, &place, "bos", 0, one.bytes, one.size, 1);
    while (uw_descriptor_next(&rest, &one) > 0 && one.size >= 2)
        layout_show(sink, &place, "capabilities", 1, one.bytes, one.size, 0);
    sink_close(sink);
}
