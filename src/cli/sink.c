#include "sink.h"

#include <stdlib.h>
#include <string.h>

#include "hexdump.h"
#include "printable.h"
#include "style.h"

#define VALUE_COLUMN 25 /* values end here, as lsusb's do */

void
sink_start(struct sink *sink, FILE *text)
{
    memset(sink, 0, sizeof(*sink));
    sink->text = text;
    if (!text)
        sink->stack[0] = json_object();
}

static void
indent(const struct sink *sink)
{
    fprintf(sink->text, "%*s", (int)(2 * sink->depth), "");
}

void
sink_open(struct sink *sink, const char *key, int many, const char *title)
{
    if (sink->text) {
        indent(sink);
        fprintf(sink->text, "%s%s%s\n", style_bold(), title, style_plain());
        sink->depth++;
        return;
    }

    json_t *around = sink->stack[sink->depth], *opened = json_object();
    if (many) {
        json_t *array = json_object_get(around, key);
        if (!array) {
            array = json_array();
            json_object_set_new(around, key, array);
        }
        json_array_append_new(array, opened);
    } else {
        json_object_set_new(around, key, opened);
    }
    sink->stack[++sink->depth] = opened;
    json_object_set_new(opened, "descriptor", json_string(title));
}

void
sink_close(struct sink *sink)
{
    sink->depth--;
}

/* NAME, then a value that ends in the value column, then what it means. */
static void
print_field(const struct sink *sink, const char *name, const char *value, const char *meaning)
{
    int width = VALUE_COLUMN - (int)strlen(name), least = (int)strlen(value) + 1;

    indent(sink);
    fprintf(sink->text, "%s%*s%s%s\n", name, width > least ? width : least, value,
            *meaning ? " " : "", meaning);
}

void
sink_number(struct sink *sink, const char *name, uint32_t value, enum sink_format format,
            unsigned width, const char *meaning)
{
    char text[32];

    if (!sink->text) {
        json_object_set_new(sink->stack[sink->depth], name, json_integer((json_int_t)value));
        return;
    }
    if (format == SINK_BCD)
        snprintf(text, sizeof(text), "%x.%02x", value >> 8, value & 0xff);
    else if (format == SINK_HEX)
        snprintf(text, sizeof(text), "0x%0*x", (int)(2 * width), value);
    else
        snprintf(text, sizeof(text), "%u", value);
    print_field(sink, name, text, meaning);
}

void
sink_quantity(struct sink *sink, const char *name, uint32_t value, const char *text)
{
    if (sink->text)
        print_field(sink, name, text, "");
    else
        sink_number(sink, name, value, SINK_DECIMAL, 4, "");
}

void
sink_string(struct sink *sink, const char *name, uint8_t index, const char *text)
{
    char key[64], shown[512];

    if (sink->text)
        text = printable(text, shown, sizeof(shown));
    sink_number(sink, name, index, SINK_DECIMAL, 1,
                sink->text && index && !*text ? "(error)" : text);
    if (sink->text || !*text)
        return;
    snprintf(key, sizeof(key), "%s_string", name);
    json_object_set_new(sink->stack[sink->depth], key, json_string(text));
}

void
sink_bytes(struct sink *sink, const char *name, const uint8_t *bytes, size_t size)
{
    size_t room = 3 * size + 1;
    char *text = malloc(room);

    if (!text)
        return;
    hexdump_line(text, room, bytes, size, sink->text ? " " : "");
    if (sink->text)
        print_field(sink, name, text, "");
    else
        json_object_set_new(sink->stack[sink->depth], name, json_string(text));
    free(text);
}

void
sink_remark(struct sink *sink, const char *text)
{
    if (!sink->text)
        return;
    indent(sink);
    fprintf(sink->text, "  %s\n", text);
}
