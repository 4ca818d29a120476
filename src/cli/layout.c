#include "layout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

enum layout_id {
#define LAYOUT(id, type, class, subclass, protocol, subtype, from, title) LAYOUT_##id,
#define FIELD(id, name, size, kind, table, count)
#include "layouts.def"
#undef LAYOUT
#undef FIELD
    NUM_LAYOUTS
};

enum meaning_id {
    NONE,
#define TABLE(id) MEANING_##id,
#define MEANS(id, number, text)
#include "meanings.def"
#undef TABLE
#undef MEANS
};

#define ANY (-1)

/* A descriptor is of the first layout whose numbers, where they are not ANY, all agree. */
static const struct {
    int type, class, subclass, protocol, subtype;
    unsigned from; /* offset of the first field */
    const char *title;
} layouts[] = {
#define LAYOUT(id, type, class, subclass, protocol, subtype, from, title)                          \
    {type, class, subclass, protocol, subtype, from, title},
#define FIELD(id, name, size, kind, table, count)
#include "layouts.def"
#undef LAYOUT
#undef FIELD
};

enum kind {
    U,      /* decimal */
    X,      /* hexadecimal */
    BCD,    /* binary coded decimal, 2 bytes */
    STRING, /* index of a string */
    ENUM,   /* decimal, with a meaning of the whole number */
    XENUM,  /* the same in hexadecimal */
    BITS,   /* hexadecimal, with the meaning of each bit that is set */
    PAIRS,  /* the same for each pair of bits that is not 0 */
    CLASS,
    SUBCLASS,
    PROTOCOL,
    VENDOR,
    PRODUCT,
    TERMINAL,
    COUNTRY,  /* names.h */
    ADDRESS,  /* of an endpoint */
    TRANSFER, /* bmAttributes of an endpoint */
    PACKET,   /* wMaxPacketSize */
    POWER,    /* of a configuration: 2 mA, or 8 mA a unit at SuperSpeed */
    BYTES     /* any number of bytes, in hex */
};

static const struct field {
    enum layout_id layout;
    const char *name; /* '#' in it: the index, of fields that are repeated */
    const char *size;
    enum kind kind;
    enum meaning_id table;
    const char *count;
} fields[] = {
#define LAYOUT(id, type, class, subclass, protocol, subtype, from, title)
#define FIELD(id, name, size, kind, table, count) {LAYOUT_##id, name, size, kind, table, count},
#include "layouts.def"
#undef LAYOUT
#undef FIELD
};
#define MOST_FIELDS 32
#define NUM_FIELDS  (sizeof(fields) / sizeof(fields[0]))

static const struct {
    enum meaning_id table;
    uint32_t number;
    const char *text;
} meanings[] = {
#define TABLE(id)
#define MEANS(id, number, text) {MEANING_##id, number, text},
#include "meanings.def"
#undef TABLE
#undef MEANS
};
#define NUM_MEANINGS (sizeof(meanings) / sizeof(meanings[0]))

/* One descriptor being shown. */
struct view {
    struct sink *sink;
    const struct layout_place *place;
    const uint8_t *bytes;
    size_t size, at;
    const struct field *first, *end; /* of the layout */
    uint32_t values[MOST_FIELDS];    /* of the fields seen */
    uint8_t class, subclass;
};

uint32_t
layout_number(const uint8_t *bytes, size_t size, size_t offset, size_t width)
{
    uint32_t value = 0;

    if (offset > size || width > size - offset)
        return 0;
    for (size_t i = width < 4 ? width : 4; i-- > 0;)
        value = value << 8 | bytes[offset + i];
    return value;
}

static const char *
meaning(enum meaning_id table, uint32_t number)
{
    for (size_t i = 0; i < NUM_MEANINGS; i++)
        if (meanings[i].table == table && meanings[i].number == number)
            return meanings[i].text;
    return "";
}

/* Numbers from 100 on mean a bit that is not set. */
static int
bit_applies(uint32_t value, uint32_t number)
{
    int wanted = number < 100;

    return (value >> (number % 100 & 31u) & 1u) == (unsigned)wanted;
}

static void
show_bits(struct sink *sink, enum meaning_id table, uint32_t value)
{
    for (size_t i = 0; i < NUM_MEANINGS; i++)
        if (meanings[i].table == table && bit_applies(value, meanings[i].number))
            sink_remark(sink, meanings[i].text);
}

static void
show_pairs(struct sink *sink, enum meaning_id table, uint32_t value)
{
    char line[96];

    for (uint32_t pair = 0; pair < 16; pair++) {
        uint32_t access = value >> (2 * pair) & 3u;
        const char *name = meaning(table, pair);
        if (!access || !*name)
            continue;
        snprintf(line, sizeof(line), "%s (%s)", name, meaning(MEANING_ACCESS, access));
        sink_remark(sink, line);
    }
}

static void
show_transfer(struct view *view, const char *name, uint32_t value)
{
    char line[64];

    sink_number(view->sink, name, value, SINK_DECIMAL, 1, "");
    snprintf(line, sizeof(line), "Transfer Type            %s",
             meaning(MEANING_TRANSFER_TYPE, value & 3));
    sink_remark(view->sink, line);
    snprintf(line, sizeof(line), "Synch Type               %s",
             meaning(MEANING_SYNCH_TYPE, value >> 2 & 3));
    sink_remark(view->sink, line);
    snprintf(line, sizeof(line), "Usage Type               %s",
             meaning(MEANING_USAGE_TYPE, value >> 4 & 3));
    sink_remark(view->sink, line);
}

/* Kinds whose meaning is a name out of names.h or a sentence. */
static void
show_named(struct view *view, const char *name, enum kind kind, uint32_t value)
{
    char text[NAMES_MAX] = "";
    enum sink_format format = SINK_DECIMAL;
    unsigned width = 1;
    uint8_t byte = (uint8_t)value;
    uint16_t word = (uint16_t)value;

    if (kind == CLASS)
        names_class(view->class = byte, text, sizeof(text));
    else if (kind == SUBCLASS)
        names_subclass(view->class, view->subclass = byte, text, sizeof(text));
    else if (kind == PROTOCOL)
        names_protocol(view->class, view->subclass, byte, text, sizeof(text));
    else if (kind == COUNTRY)
        names_country(byte, text, sizeof(text));
    else if (kind == ADDRESS)
        snprintf(text, sizeof(text), " EP %u %s", value & 15, value & 0x80 ? "IN" : "OUT");
    else if (kind == VENDOR)
        names_vendor(word, text, sizeof(text));
    else if (kind == PRODUCT)
        names_product((uint16_t)layout_number(view->bytes, view->size, view->at - 2, 2), word, text,
                      sizeof(text));
    else if (kind == TERMINAL)
        names_terminal(word, text, sizeof(text));
    else
        snprintf(text, sizeof(text), " %ux %u bytes", (value >> 11 & 3) + 1, value & 0x7ff);
    if (kind != CLASS && kind != SUBCLASS && kind != PROTOCOL && kind != COUNTRY)
        format = SINK_HEX;
    if (format == SINK_HEX && kind != ADDRESS)
        width = 2;
    sink_number(view->sink, name, value, format, width, text);
}

static void
show_value(struct view *view, const struct field *field, const char *name, size_t width)
{
    uint32_t value = layout_number(view->bytes, view->size, view->at, width);
    struct sink *sink = view->sink;
    unsigned hex = (unsigned)(width < 4 ? width : 4);
    char text[32];

    if (width > 4 || field->kind == BYTES) {
        sink_bytes(sink, name, view->bytes + view->at, width);
    } else if (field->kind == U || field->kind == ENUM) {
        sink_number(sink, name, value, SINK_DECIMAL, hex, meaning(field->table, value));
    } else if (field->kind == X || field->kind == XENUM) {
        sink_number(sink, name, value, SINK_HEX, hex, meaning(field->table, value));
    } else if (field->kind == BCD) {
        sink_number(sink, name, value, SINK_BCD, hex, "");
    } else if (field->kind == BITS) {
        sink_number(sink, name, value, SINK_HEX, hex, "");
        show_bits(sink, field->table, value);
    } else if (field->kind == PAIRS) {
        sink_number(sink, name, value, SINK_HEX, hex, "");
        show_pairs(sink, field->table, value);
    } else if (field->kind == STRING) {
        sink_string(sink, name, (uint8_t)value,
                    value ? view->place->string(view->place->data, (uint8_t)value) : "");
    } else if (field->kind == TRANSFER) {
        show_transfer(view, name, value);
    } else if (field->kind == POWER) {
        snprintf(text, sizeof(text), "%umA", value * view->place->power_unit);
        sink_quantity(sink, name, value, text);
    } else {
        show_named(view, name, field->kind, value);
    }
}

/* A size or count: a number, or the value of an earlier field. */
static size_t
resolve(const struct view *view, const char *text)
{
    if (text[0] >= '0' && text[0] <= '9')
        return strtoul(text, NULL, 10);
    for (const struct field *f = view->first; f < view->end; f++)
        if (strcmp(f->name, text) == 0)
            return view->values[f - view->first];
    return 0;
}

/* Fields that are repeated together with `field`, itself included. */
static const struct field *
group_end(const struct view *view, const struct field *field)
{
    const struct field *f = field + 1;

    while (f < view->end && f->count && strcmp(f->count, "+") == 0)
        f++;
    return f;
}

static size_t
size_of(const struct view *view, const struct field *from, const struct field *to)
{
    size_t size = 0;

    for (; from < to; from++)
        if (!from->count || *from->count != '?')
            size += resolve(view, from->size);
    return size;
}

/* How often a group stands here. */
static size_t
repeats(const struct view *view, const struct field *field, const struct field *group)
{
    size_t left = view->size - view->at, width = size_of(view, field, group), behind;

    if (!field->count)
        return 1;
    if (strcmp(field->count, "?") == 0)
        return left > 0;
    if (*field->count)
        return resolve(view, field->count);
    behind = size_of(view, group, view->end);
    return left > behind && width ? (left - behind) / width : 0;
}

/* Field number `index` of a repetition. 0 where the descriptor ends too early. */
static int
show_field(struct view *view, const struct field *field, size_t index)
{
    size_t width = resolve(view, field->size);
    const char *mark = strchr(field->name, '#');
    char name[64];

    if (width > view->size - view->at)
        return 0;
    if (mark)
        snprintf(name, sizeof(name), "%.*s%zu%s", (int)(mark - field->name), field->name, index,
                 mark + 1);
    else
        snprintf(name, sizeof(name), "%s", field->name);
    view->values[field - view->first] = layout_number(view->bytes, view->size, view->at, width);
    show_value(view, field, name, width);
    view->at += width;
    return 1;
}

/* A field, or a group of them, as often as it stands here; bytes all in one line. */
static int
show_group(struct view *view, const struct field *field, const struct field *group)
{
    size_t times = repeats(view, field, group);

    if (field->kind == BYTES && field->count) {
        if (times)
            sink_bytes(view->sink, field->name, view->bytes + view->at, times);
        view->at += times;
        return 1;
    }
    for (size_t i = 0; i < times; i++)
        for (const struct field *f = field; f < group; f++)
            if (!show_field(view, f, i))
                return 0;
    return 1;
}

static void
show_fields(struct view *view, enum layout_id layout)
{
    view->first = fields;
    while (view->first->layout != layout)
        view->first++;
    view->end = view->first;
    while (view->end < fields + NUM_FIELDS && view->end->layout == layout)
        view->end++;
    assert(view->end - view->first <= MOST_FIELDS);
    for (const struct field *f = view->first, *group; f < view->end; f = group) {
        group = group_end(view, f);
        if (!show_group(view, f, group)) {
            sink_remark(view->sink, "(the descriptor ends here, too early)");
            break;
        }
    }
    if (view->at < view->size)
        sink_bytes(view->sink, "extra", view->bytes + view->at, view->size - view->at);
}

static int
agrees(int wanted, uint32_t number)
{
    return wanted == ANY || wanted == (int)number;
}

static enum layout_id
find_layout(const struct layout_place *place, const uint8_t *bytes, size_t size)
{
    uint32_t subtype = layout_number(bytes, size, 2, 1);
    unsigned i;

    for (i = 0; i + 1 < NUM_LAYOUTS; i++) {
        if (agrees(layouts[i].type, bytes[1]) && agrees(layouts[i].class, place->class) &&
            agrees(layouts[i].subclass, place->subclass) &&
            agrees(layouts[i].protocol, place->protocol) && agrees(layouts[i].subtype, subtype) &&
            layouts[i].from <= size)
            break;
    }
    return (enum layout_id)i; /* the last one fits everything */
}

void
layout_show(struct sink *sink, const struct layout_place *place, const char *key, int many,
            const uint8_t *bytes, size_t size, int keep_open)
{
    enum layout_id layout = find_layout(place, bytes, size);
    struct view view = {.sink = sink,
                        .place = place,
                        .bytes = bytes,
                        .size = size,
                        .at = layouts[layout].from,
                        .class = place->class,
                        .subclass = place->subclass};

    sink_open(sink, key, many, layouts[layout].title);
    show_fields(&view, layout);
    if (!keep_open)
        sink_close(sink);
}
