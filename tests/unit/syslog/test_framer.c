/*
 * RFC 6587 streams, whole and broken, cut in every way.
 *
 * The frames are those of the ESP bridge: "LEN SP <PRI>1 ... TEXT LF", the newline counted; what
 * breaks them is what rsyslog and syslog-ng were seen to stumble over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syslog/framer.h"

#define HEAD "<14>1 2000-01-01T00:00:13.000Z esp32 esp - - - I (1) x: "

/* What came out, one line a frame: kind, '!' when cut, the bytes. */
struct out {
    char text[200000];
    size_t length;
    int frames;
};

static void
note(struct out *o, const struct uw_frame *frame)
{
    static const char kinds[] = "oLj";

    assert_true(frame->size <= UW_SYSLOG_MAX);
    assert_true(o->length + frame->size + 3 < sizeof(o->text));
    o->text[o->length++] = kinds[frame->kind];
    if (frame->cut)
        o->text[o->length++] = '!';
    memcpy(o->text + o->length, frame->bytes, frame->size);
    o->length += frame->size;
    o->text[o->length++] = '|';
    o->text[o->length] = '\0';
    o->frames++;
}

static unsigned
next_random(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 16;
}

/* `most` bytes at a time, or up to so many if random. */
static void
feed(const char *bytes, size_t size, size_t most, unsigned *random, struct out *o)
{
    static struct uw_framer f;
    struct uw_frame frame;

    o->length = 0;
    o->frames = 0;
    uw_framer_init(&f);
    while (size) {
        size_t piece = random ? next_random(random) % most + 1 : most, taken;

        if (piece > size)
            piece = size;
        /* In memory of just its size, for the sanitizer to see. */
        char *copy = malloc(piece);
        memcpy(copy, bytes, piece);
        taken = uw_framer_put(&f, copy, piece);
        free(copy);
        assert_true(taken > 0);
        bytes += taken;
        size -= taken;
        while (uw_framer_next(&f, &frame))
            note(o, &frame);
    }
    if (uw_framer_finish(&f, &frame))
        note(o, &frame);
    assert_int_equal(uw_framer_finish(&f, &frame), 0);
}

/* The same result however it is cut; returns it. */
static const struct out *
frames_of(const char *bytes, size_t size)
{
    static struct out whole, cut;
    unsigned random = 1;

    feed(bytes, size, size ? size : 1, NULL, &whole);
    for (int i = 0; i < 40; i++) {
        feed(bytes, size, i == 0 ? 1 : 40, i == 0 ? NULL : &random, &cut);
        assert_int_equal(cut.length, whole.length);
        assert_memory_equal(cut.text, whole.text, whole.length);
    }
    return &whole;
}

/* A message of the bridge: counted, with its newline. */
static size_t
put_frame(char *dst, size_t room, const char *text, int newline)
{
    const char *end = newline ? "\n" : "";

    return (size_t)snprintf(dst, room, "%zu " HEAD "%s%s",
                            strlen(HEAD) + strlen(text) + strlen(end), text, end);
}

static void
golden(void **state)
{
    static const struct {
        const char *name, *in, *out;
    } rows[] = {
        {"counted", "5 <1>ab6 <1>abc", "o<1>ab|o<1>abc|"},
        {"counted with the newline in it", "6 <1>ab\n6 <1>cd\n", "o<1>ab\n|o<1>cd\n|"},
        {"counted with a newline behind", "5 <1>ab\n5 <1>cd\n", "o<1>ab|o<1>cd|"},
        {"a newline in the message", "6 <1>a\nb5 <1>cd", "o<1>a\nb|o<1>cd|"},
        {"lines", "<1>ab\n<1>cd\n", "L<1>ab|L<1>cd|"},
        {"lines with CR", "<1>ab\r\n<1>cd\r\n", "L<1>ab|L<1>cd|"},
        {"both", "5 <1>ab<1>cd\n5 <1>ef", "o<1>ab|L<1>cd|o<1>ef|"},
        {"between frames", "\r\n 5 <1>ab\n\n  <1>cd\n", "o<1>ab|L<1>cd|"},
        {"too small a count", "4 <1>ab\n5 <1>cd", "o<1>a|jb|o<1>cd|"},
        {"too large a count", "8 <1>ab\n5 <1>cd\n5 <1>ef", "o<1>ab\n5 |L<1>cd|o<1>ef|"},
        {"far too large a count", "800 <1>1 a\n7 <1>1 b\n7 <1>1 c\n",
         "o!<1>1 a\n|o<1>1 b\n|o<1>1 c\n|"},
        {"a line that only looks like it", "15 <1>1 a\n8 <1>2 b5 <1>cd",
         "o<1>1 a\n8 <1>2 b|o<1>cd|"},
        {"leading zero", "05 <1>ab\n5 <1>cd", "j05 <1>ab|o<1>cd|"},
        {"count of zero", "0 <1>ab\n5 <1>cd", "j0 <1>ab|o<1>cd|"},
        {"digits and no space", "12x<1>ab\n5 <1>cd", "j12x<1>ab|o<1>cd|"},
        {"a count of something else", "5 abcde\n5 <1>cd", "j5 abcde|o<1>cd|"},
        {"a bomb", "99999999 <1>ab\n5 <1>cd", "j99999999 <1>ab|o<1>cd|"},
        {"one above the limit", "8193 <1>ab\n5 <1>cd", "j8193 <1>ab|o<1>cd|"},
        {"negative", "-5 <1>ab\n5 <1>cd", "j-5 <1>ab|o<1>cd|"},
        {"text", "HTTP/1.1 400 Bad Request\r\n\r\n<1>ab\n", "jHTTP/1.1 400 Bad Request|L<1>ab|"},
        {"the end in a frame", "9 <1>ab", "o!<1>ab|"},
        {"the end in a line", "<1>ab", "L!<1>ab|"},
        {"the end in a count", "<1>ab\n12", "L<1>ab|j!12|"},
        {"nothing but newlines", "\n\r\n \n", ""},
        {"nothing", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct out *o = frames_of(rows[i].in, strlen(rows[i].in));

        if (strcmp(o->length ? o->text : "", rows[i].out) != 0)
            fail_msg("%s: %s", rows[i].name, o->text);
    }
}

static void
nul_between_and_inside(void **state)
{
    static const char in[] = "\0<1>ab\n\0\0"
                             "6 <1>a\0c\0<1>d\0e\n";
    static const char out[] = "L<1>ab|o<1>a\0c|L<1>d\0e|";
    const struct out *o = frames_of(in, sizeof(in) - 1);

    (void)state;
    assert_int_equal(o->length, sizeof(out) - 1);
    assert_memory_equal(o->text, out, sizeof(out) - 1);
}

/* The longest message there is, one byte more, and far more; what follows is in step again. */
static void
long_ones(void **state)
{
    static char in[60000];
    size_t sizes[] = {UW_SYSLOG_MAX - 1, UW_SYSLOG_MAX, UW_SYSLOG_MAX + 1, 20000};

    (void)state;
    for (int counted = 0; counted < 2; counted++)
        for (size_t i = 0; i < 4; i++) {
            size_t n = 0;
            const struct out *o;
            int fits = sizes[i] <= UW_SYSLOG_MAX;

            if (counted)
                n = (size_t)sprintf(in, "%zu ", sizes[i]);
            memset(in + n, 'y', sizes[i]);
            memcpy(in + n, "<1>", 3);
            n += sizes[i];
            n += (size_t)sprintf(in + n, "\n5 <1>cd");
            o = frames_of(in, n);
            assert_int_equal(o->frames, 2);
            assert_string_equal(o->text + o->length - 7, "o<1>cd|");
            assert_int_equal(o->text[0], counted ? fits ? 'o' : 'j' : 'L');
            assert_int_equal(o->text[1] == '!', !fits);
        }
}

static void
every_byte_as_junk(void **state)
{
    char in[512];
    size_t n = 0;
    const struct out *o;

    (void)state;
    for (unsigned c = 1; c < 256; c++)
        in[n++] = (char)c;
    in[n++] = '\n';
    n += put_frame(in + n, sizeof(in) - n, "after", 1);
    o = frames_of(in, n);
    assert_non_null(strstr(o->text, "o" HEAD "after\n|"));
}

/* As the bridge does: a send that was not finished, and the next frame right behind it. */
static void
resynchronises_wherever_a_frame_is_cut(void **state)
{
    char first[128], in[512];
    size_t size = put_frame(first, sizeof(first), "this one is cut somewhere", 1);

    (void)state;
    for (size_t keep = 1; keep < size; keep++) {
        size_t n = keep;
        const struct out *o;

        memcpy(in, first, keep);
        n += put_frame(in + n, sizeof(in) - n, "may be lost", 1);
        n += put_frame(in + n, sizeof(in) - n, "after", 1);
        n += put_frame(in + n, sizeof(in) - n, "and after", 1);
        o = frames_of(in, n);
        assert_non_null(strstr(o->text, "o" HEAD "and after\n|"));
        assert_true(o->frames <= 5);
    }
}

/* Ten thousand messages, each counted, cut at random: all arrive, in order, whole. */
static void
ten_thousand(void **state)
{
    static struct uw_framer f;
    char in[256], expected[256], piece[64];
    unsigned random = 7, made = 0, seen = 0;
    size_t have = 0, sent = 0;

    (void)state;
    uw_framer_init(&f);
    while (seen < 10000) {
        struct uw_frame frame;
        size_t n = 0, taken;

        while (n < sizeof(piece) - 1 && (n == 0 || next_random(&random) % 16)) {
            if (sent == have) {
                snprintf(expected, sizeof(expected), "%u %.*s", made,
                         (int)(next_random(&random) % 60),
                         "................................................................");
                have = put_frame(in, sizeof(in), expected, made++ & 1);
                sent = 0;
            }
            piece[n++] = in[sent++];
        }
        for (size_t at = 0; at < n; at += taken) {
            taken = uw_framer_put(&f, piece + at, n - at);
            while (uw_framer_next(&f, &frame)) {
                char number[16];

                assert_int_equal(frame.kind, UW_FRAME_COUNTED);
                assert_int_equal(frame.cut, 0);
                snprintf(number, sizeof(number), "%u ", seen++);
                assert_memory_equal(frame.bytes + sizeof(HEAD) - 1, number, strlen(number));
            }
        }
    }
    assert_int_equal(f.junk, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(nul_between_and_inside),
        cmocka_unit_test(long_ones),
        cmocka_unit_test(every_byte_as_junk),
        cmocka_unit_test(resynchronises_wherever_a_frame_is_cut),
        cmocka_unit_test(ten_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
