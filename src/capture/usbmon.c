/*
 * usbmon.c - records of usbmon
 */
#include <usbwire/error.h>

#include "capture/pcapng.h"
#include "capture/usbmon.h"

#define DATA_HERE 0u
#define NO_SETUP  ((uint8_t)'-')

#define NOT_YET     (-115) /* EINPROGRESS: the status of what is submitted */
#define NOT_MOVED   (-18)  /* EXDEV: that of an isochronous packet before its time */
#define PACKETS_MAX ((UW_SNAPLEN - UW_USBMON_HEADER) / UW_USBMON_PACKET)

/* usbmon's numbers are not those of bmAttributes. */
static const uint8_t type_numbers[] = {
    [UW_CONTROL] = 2, [UW_ISOCHRONOUS] = 0, [UW_BULK] = 3, [UW_INTERRUPT] = 1};
static const uint8_t types[] = {UW_ISOCHRONOUS, UW_INTERRUPT, UW_CONTROL, UW_BULK};

static int
is_in(const struct uw_usbmon *r)
{
    return (r->endpoint & 0x80) != 0;
}

static int
is_iso(const struct uw_usbmon *r)
{
    return r->type == UW_ISOCHRONOUS;
}

static int
is_setup(const struct uw_usbmon *r)
{
    return r->kind == UW_USBMON_SUBMIT && r->type == UW_CONTROL;
}

/* The payload goes with the submission of an OUT and the completion of an IN; elsewhere this mark
 * says why there is none. */
static uint8_t
data_mark(const struct uw_usbmon *r)
{
    if (r->kind == UW_USBMON_ERROR)
        return 'E';
    if (is_in(r))
        return r->kind == UW_USBMON_SUBMIT ? '<' : DATA_HERE;
    return r->kind == UW_USBMON_SUBMIT ? DATA_HERE : '>';
}

static uint32_t
packets(const struct uw_usbmon *r)
{
    if (!r->iso || !is_iso(r))
        return 0;
    return r->iso_count < PACKETS_MAX ? r->iso_count : PACKETS_MAX;
}

/* An isochronous IN comes compacted; a record has each packet at its offset. */
static int
is_scattered(const struct uw_usbmon *r)
{
    return is_iso(r) && is_in(r) && r->kind == UW_USBMON_COMPLETE;
}

static uint64_t
bytes_there(const struct uw_usbmon *r)
{
    uint64_t n = 0;

    if (is_scattered(r)) {
        for (uint32_t i = 0; i < packets(r); i++) {
            uint64_t end = (uint64_t)r->iso[i].offset + r->iso[i].actual;

            if (r->iso[i].actual && end > n)
                n = end;
        }
        return n;
    }
    for (int i = 0; i < r->data_count; i++)
        n += r->data[i].iov_len;
    return n < r->length ? n : r->length;
}

static uint32_t
at_most(uint64_t n, uint32_t most)
{
    return n < most ? (uint32_t)n : most;
}

void
uw_usbmon_measure(const struct uw_usbmon *r, struct uw_usbmon_size *ret_size)
{
    uint32_t table = packets(r) * UW_USBMON_PACKET;
    uint32_t front = UW_USBMON_HEADER + table;
    uint64_t there = data_mark(r) == DATA_HERE ? bytes_there(r) : 0;
    uint64_t moved = r->kind == UW_USBMON_ERROR ? 0 : r->length;
    uint64_t whole = is_scattered(r) ? there : moved;
    uint32_t most = INT32_MAX - front;

    ret_size->captured = front + at_most(there, UW_SNAPLEN - front);
    ret_size->data = table + (data_mark(r) == DATA_HERE ? at_most(whole, most) : 0);
    ret_size->original = front + at_most(whole, most);
}

/* ---- writing ---- */

static void
put_header(const struct uw_usbmon *r, const struct uw_usbmon_size *size, struct uw_writer *w)
{
    uint64_t seconds = r->stamp / 1000000000u;

    uw_wr_le32(w, (uint32_t)r->id);
    uw_wr_le32(w, (uint32_t)(r->id >> 32));
    uw_wr_u8(w, (uint8_t)r->kind);
    uw_wr_u8(w, type_numbers[r->type & 3]);
    uw_wr_u8(w, r->endpoint);
    uw_wr_u8(w, r->address);
    uw_wr_le16(w, r->bus);
    uw_wr_u8(w, is_setup(r) ? 0 : NO_SETUP);
    uw_wr_u8(w, data_mark(r));
    uw_wr_le32(w, (uint32_t)seconds);
    uw_wr_le32(w, (uint32_t)(seconds >> 32));
    uw_wr_le32(w, (uint32_t)(r->stamp % 1000000000u / 1000u));
    uw_wr_le32(w, (uint32_t)(r->kind == UW_USBMON_SUBMIT ? NOT_YET : r->status));
    uw_wr_le32(w, r->kind == UW_USBMON_ERROR ? 0 : r->length);
    uw_wr_le32(w, size->data);
    if (is_setup(r)) {
        uw_wr_bytes(w, r->setup, sizeof(r->setup));
    } else {
        uw_wr_le32(w, is_iso(r) ? r->error_count : 0);
        uw_wr_le32(w, packets(r));
    }
    uw_wr_le32(w, (uint32_t)r->interval);
    uw_wr_le32(w, (uint32_t)r->start_frame);
    uw_wr_le32(w, r->flags);
    uw_wr_le32(w, packets(r));
}

static void
put_packets(const struct uw_usbmon *r, struct uw_writer *w)
{
    int done = r->kind != UW_USBMON_SUBMIT;

    for (uint32_t i = 0; i < packets(r); i++) {
        uw_wr_le32(w, (uint32_t)(done ? r->iso[i].status : NOT_MOVED));
        uw_wr_le32(w, r->iso[i].offset);
        uw_wr_le32(w, done ? r->iso[i].actual : r->iso[i].length);
        uw_wr_le32(w, 0);
    }
}

/* Reads on through a run of pieces. */
struct run {
    const struct iovec *piece;
    int left;
    size_t used; /* of the first piece */
};

static size_t
copy_run(struct run *run, uint8_t *dst, size_t size)
{
    size_t done = 0;

    while (done < size && run->left > 0) {
        size_t n = run->piece->iov_len - run->used;

        if (n > size - done)
            n = size - done;
        if (n) {
            memcpy(dst + done, (const uint8_t *)run->piece->iov_base + run->used, n);
            run->used += n;
        }
        done += n;
        if (run->used == run->piece->iov_len) {
            run->piece++;
            run->left--;
            run->used = 0;
        }
    }
    return done;
}

static void
skip_run(struct run *run, size_t size)
{
    while (size > 0 && run->left > 0) {
        size_t n = run->piece->iov_len - run->used;

        if (size < n) {
            run->used += size;
            return;
        }
        size -= n;
        run->piece++;
        run->left--;
        run->used = 0;
    }
}

static void
scatter(const struct uw_usbmon *r, struct run *run, uint8_t *dst, size_t size)
{
    memset(dst, 0, size);
    for (uint32_t i = 0; i < packets(r); i++) {
        const struct uw_iso_packet *p = &r->iso[i];
        size_t room = p->offset < size ? size - p->offset : 0;
        size_t n = p->actual < room ? p->actual : room;

        if (n)
            copy_run(run, dst + p->offset, n);
        skip_run(run, p->actual - n);
    }
}

void
uw_usbmon_encode(const struct uw_usbmon *r, const struct uw_usbmon_size *size, uint8_t *dst)
{
    struct uw_writer w = uw_writer(dst, size->captured);
    struct run run = {r->data, r->data_count, 0};
    size_t n;

    put_header(r, size, &w);
    put_packets(r, &w);
    n = size->captured - w.len;
    if (n && is_scattered(r))
        scatter(r, &run, dst + w.len, n);
    else if (n)
        copy_run(&run, dst + w.len, n);
}

/* ---- reading ---- */

static uint64_t
rd_le64(struct uw_reader *r)
{
    uint64_t low = uw_rd_le32(r);

    return low | (uint64_t)uw_rd_le32(r) << 32;
}

int
uw_usbmon_decode(const void *bytes, size_t size, struct uw_usbmon_view *ret_view)
{
    struct uw_reader rd = uw_reader(bytes, size);
    struct uw_usbmon_view v = {0};
    struct uw_usbmon *r = &v.record;
    uint64_t seconds;
    uint32_t microseconds;
    uint8_t kind, type, setup_mark, mark;

    r->id = rd_le64(&rd);
    kind = uw_rd_u8(&rd);
    type = uw_rd_u8(&rd);
    r->endpoint = uw_rd_u8(&rd);
    r->address = uw_rd_u8(&rd);
    r->bus = uw_rd_le16(&rd);
    setup_mark = uw_rd_u8(&rd);
    mark = uw_rd_u8(&rd);
    seconds = rd_le64(&rd);
    microseconds = uw_rd_le32(&rd);
    r->stamp = seconds * 1000000000u + microseconds * 1000u;
    r->status = (int32_t)uw_rd_le32(&rd);
    r->length = uw_rd_le32(&rd);
    v.data_length = uw_rd_le32(&rd);
    uw_rd_bytes(&rd, r->setup, sizeof(r->setup));
    r->interval = (int32_t)uw_rd_le32(&rd);
    r->start_frame = (int32_t)uw_rd_le32(&rd);
    r->flags = uw_rd_le32(&rd);
    r->iso_count = uw_rd_le32(&rd);
    if (rd.failed || (kind != 'S' && kind != 'C' && kind != 'E') || type >= sizeof(types))
        return UW_ERROR_PROTOCOL;
    r->kind = (enum uw_usbmon_kind)kind;
    r->type = types[type];
    if ((setup_mark == 0) != is_setup(r) || mark != data_mark(r) || (r->iso_count && !is_iso(r)) ||
        r->iso_count > PACKETS_MAX)
        return UW_ERROR_PROTOCOL;
    if (is_iso(r)) {
        struct uw_reader part = uw_reader(r->setup, 4);

        r->error_count = uw_rd_le32(&part);
    }
    v.packets = uw_rd_take(&rd, (size_t)r->iso_count * UW_USBMON_PACKET);
    if (rd.failed)
        return UW_ERROR_PROTOCOL;
    v.payload = rd.p;
    v.payload_size = rd.left;
    *ret_view = v;
    return 0;
}
