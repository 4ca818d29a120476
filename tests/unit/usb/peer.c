/*
 * peer.c - a USB/IP server that does what a test tells it
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "peer.h"

static int
receive(int fd, void *buf, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t n = recv(fd, (char *)buf + have, size - have, 0);

        if (n <= 0)
            return -1;
        have += (size_t)n;
    }
    return 0;
}

static void
send_all(int fd, const void *buf, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, (const char *)buf + sent, size - sent, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the reading side sees the end, too */
        sent += (size_t)n;
    }
}

/* ---- the two requests before URBs ---- */

/* With the lock held, which it gives away meanwhile. */
static void
wait_while_stalled(struct peer *p, enum peer_stall what)
{
    while (p->stalled & what)
        pthread_cond_wait(&p->changed, &p->lock);
}

static void
describe(const struct peer_model *m, unsigned index, int in_import, struct uw_device_info *info)
{
    const uint8_t *d = m->v.device;

    memset(info, 0, sizeof(*info));
    snprintf(info->path, sizeof(info->path), "%s", m->path ? m->path : "/sys/devices/usb1/1-1");
    snprintf(info->busid, sizeof(info->busid), "%s", m->busid);
    info->busnum = 1;
    info->devnum = index + 2;
    info->speed = m->speed;
    info->num_interfaces = m->v.configs[0][4];
    info->num_configurations = d[17];
    info->configuration_value = m->configuration;
    if (in_import && m->empty_record)
        return;
    info->vid = (uint16_t)(d[8] | d[9] << 8);
    info->pid = (uint16_t)(d[10] | d[11] << 8);
    info->bcd_device = (uint16_t)(d[12] | d[13] << 8);
}

static void
answer_list(struct peer_conn *c)
{
    static const uint8_t no_classes[UW_OP_INTERFACE_SIZE * 256];
    struct peer *p = c->peer;
    uint8_t bytes[UW_OP_DEVICE_SIZE];
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_DEVLIST, 0};
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));
    uint32_t n = 0;

    p->lists++;
    wait_while_stalled(p, PEER_LISTS);
    for (unsigned i = 0; i < p->num_models; i++)
        n += !p->models[i].hidden;
    uw_encode_op(bytes, &op);
    w.len = UW_OP_HEADER_SIZE;
    uw_wr_be32(&w, n);
    send_all(c->fd, bytes, w.len);
    for (unsigned i = 0; i < p->num_models; i++) {
        struct uw_device_info info;

        if (p->models[i].hidden)
            continue;
        describe(&p->models[i], i, 0, &info);
        send_all(c->fd, bytes, uw_encode_device(bytes, &info));
        send_all(c->fd, no_classes, (size_t)info.num_interfaces * UW_OP_INTERFACE_SIZE);
    }
}

static int
answer_import(struct peer_conn *c, const char *busid)
{
    struct peer *p = c->peer;
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_IMPORT, UW_OP_ST_NODEV};
    uint8_t bytes[UW_OP_DEVICE_SIZE];
    struct uw_device_info info;
    struct peer_model *m = NULL;

    p->imports++;
    wait_while_stalled(p, PEER_IMPORTS);
    for (unsigned i = 0; i < p->num_models; i++)
        if (strcmp(p->models[i].busid, busid) == 0) {
            m = &p->models[i];
            describe(m, i, 1, &info);
        }
    if (m)
        op.status = (uint32_t)m->busy;
    if (m && m->busy_times && --m->busy_times == 0)
        m->busy = 0;
    send_all(c->fd, bytes, uw_encode_op(bytes, &op));
    if (op.status)
        return 0;
    c->model = m;
    send_all(c->fd, bytes, uw_encode_device(bytes, &info));
    return 1;
}

/* ---- URBs ---- */

void
peer_reply(struct peer_conn *c, const struct uw_pdu *pdu, int status, const void *data, size_t size)
{
    struct uw_pdu ret = {.command = UW_RET_SUBMIT,
                         .seqnum = pdu->seqnum,
                         .status = status,
                         .length = (int32_t)size,
                         .packets = pdu->packets};
    uint8_t bytes[UW_PDU_SIZE];

    uw_encode_pdu(bytes, &ret);
    send_all(c->fd, bytes, sizeof(bytes));
    if (pdu->direction == UW_DIR_IN && size)
        send_all(c->fd, data, size);
}

void
peer_hang_up(struct peer_conn *c)
{
    shutdown(c->fd, SHUT_RDWR);
}

int
peer_is(const struct uw_pdu *pdu, uint8_t request_type, uint8_t request)
{
    return pdu->command == UW_CMD_SUBMIT && pdu->ep == 0 && pdu->setup[0] == request_type &&
           pdu->setup[1] == request;
}

static void
answer_string(struct peer_conn *c, const struct uw_pdu *pdu, unsigned index)
{
    uint8_t bytes[255] = {4, 3, 9, 4};
    const char *s = index < 8 ? c->model->strings[index] : NULL;
    size_t size = 4;

    if (index && !s) {
        peer_reply(c, pdu, -EPIPE, NULL, 0);
        return;
    }
    for (size_t i = 0; index && i <= strlen(s); i++) {
        bytes[0] = (uint8_t)(2 + 2 * strlen(s));
        bytes[2 + 2 * i] = (uint8_t)s[i];
        bytes[3 + 2 * i] = 0;
    }
    size = bytes[0];
    peer_reply(c, pdu, 0, bytes, size < (size_t)pdu->length ? size : (size_t)pdu->length);
}

static void
answer_descriptor(struct peer_conn *c, const struct uw_pdu *pdu)
{
    const struct vector *v = &c->model->v;
    unsigned type = pdu->setup[3], index = pdu->setup[2];
    const uint8_t *bytes = NULL;
    size_t size = 0;

    if (type == 3) {
        answer_string(c, pdu, index);
        return;
    }
    if (type == 1) {
        bytes = v->device;
        size = sizeof(v->device);
    } else if (type == 2 && index < v->num_configs) {
        bytes = v->configs[index];
        size = v->sizes[index];
    }
    peer_reply(c, pdu, bytes ? 0 : -EPIPE, bytes,
               size < (size_t)pdu->length ? size : (size_t)pdu->length);
}

static void
answer_control(struct peer_conn *c, const struct uw_pdu *pdu)
{
    if (peer_is(pdu, 0x80, 0x06)) {
        answer_descriptor(c, pdu);
    } else if (peer_is(pdu, 0x80, 0x08)) {
        peer_reply(c, pdu, 0, &c->model->configuration, 1);
    } else if (pdu->direction == UW_DIR_OUT) {
        if (peer_is(pdu, 0x00, 0x09))
            c->model->configuration = pdu->setup[2];
        peer_reply(c, pdu, 0, NULL, (size_t)pdu->length);
    } else {
        peer_reply(c, pdu, -EPIPE, NULL, 0);
    }
}

void
peer_forget_held(struct peer *p, unsigned i)
{
    p->num_held--;
    memmove(&p->held[i], &p->held[i + 1], (p->num_held - i) * sizeof(p->held[0]));
}

static void
answer_unlink(struct peer_conn *c, const struct uw_pdu *pdu)
{
    struct uw_pdu ret = {.command = UW_RET_UNLINK, .seqnum = pdu->seqnum};
    uint8_t bytes[UW_PDU_SIZE];

    for (unsigned i = 0; i < c->peer->num_held; i++)
        if (c->peer->held[i].conn == c && c->peer->held[i].pdu.seqnum == pdu->target) {
            peer_forget_held(c->peer, i);
            ret.status = -ECONNRESET;
            break;
        }
    uw_encode_pdu(bytes, &ret);
    send_all(c->fd, bytes, sizeof(bytes));
}

static void
hold(struct peer_conn *c, const struct uw_pdu *pdu)
{
    if (c->peer->num_held < PEER_HELD)
        c->peer->held[c->peer->num_held++] = (struct peer_held){c, *pdu};
}

static void
answer(struct peer_conn *c, const struct uw_pdu *pdu)
{
    struct peer *p = c->peer;

    if (p->logged < PEER_LOG)
        p->log[p->logged++] = *pdu;
    if (p->script && p->script(c, pdu, p->arg))
        ;
    else if (pdu->command == UW_CMD_UNLINK)
        answer_unlink(c, pdu);
    else if (pdu->ep == 0)
        answer_control(c, pdu);
    else if (pdu->direction == UW_DIR_IN)
        hold(c, pdu);
    else
        peer_reply(c, pdu, 0, NULL, (size_t)pdu->length);
    pthread_cond_broadcast(&p->changed);
}

/* The payload behind a CMD_SUBMIT; what was sent of the last one is kept. */
static int
take_payload(struct peer_conn *c, const struct uw_pdu *pdu)
{
    size_t size = pdu->direction == UW_DIR_OUT ? (size_t)pdu->length : 0;
    size_t table = pdu->packets > 0 ? (size_t)pdu->packets * UW_ISO_SIZE : 0;
    uint8_t *bytes = calloc(1, size + table + 1);
    int r = receive(c->fd, bytes, size + table);

    pthread_mutex_lock(&c->peer->lock);
    c->peer->out_size = size < sizeof(c->peer->out) ? size : sizeof(c->peer->out);
    memcpy(c->peer->out, bytes, c->peer->out_size);
    pthread_mutex_unlock(&c->peer->lock);
    free(bytes);
    return r;
}

static void
serve_urbs(struct peer_conn *c)
{
    uint8_t bytes[UW_PDU_SIZE];
    struct uw_pdu pdu;

    while (receive(c->fd, bytes, sizeof(bytes)) == 0 && uw_decode_pdu(bytes, &pdu) == 0) {
        if (pdu.command == UW_CMD_SUBMIT && take_payload(c, &pdu) < 0)
            break;
        pthread_mutex_lock(&c->peer->lock);
        answer(c, &pdu);
        pthread_mutex_unlock(&c->peer->lock);
    }
}

static void *
serve(void *arg)
{
    struct peer_conn *c = (struct peer_conn *)arg;
    struct peer *p = c->peer;
    uint8_t bytes[UW_OP_HEADER_SIZE + UW_OP_BUSID_SIZE];
    struct uw_op op;
    int imported = 0;

    if (receive(c->fd, bytes, UW_OP_HEADER_SIZE) == 0) {
        uw_decode_op(bytes, &op);
        if (op.code == UW_OP_REQ_IMPORT && receive(c->fd, bytes, UW_OP_BUSID_SIZE) < 0)
            op.code = 0;
        bytes[UW_OP_BUSID_SIZE - 1] = '\0';
        pthread_mutex_lock(&p->lock);
        if (op.code == UW_OP_REQ_DEVLIST)
            answer_list(c);
        else if (op.code == UW_OP_REQ_IMPORT)
            imported = answer_import(c, (const char *)bytes);
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
    }
    if (imported)
        serve_urbs(c);
    pthread_mutex_lock(&p->lock);
    for (unsigned i = p->num_held; i-- > 0;)
        if (p->held[i].conn == c)
            peer_forget_held(p, i);
    c->model = NULL;
    c->over = 1;
    shutdown(c->fd, SHUT_RDWR);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void
end_connection(struct peer_conn *c)
{
    pthread_join(c->thread, NULL);
    close(c->fd);
}

static struct peer_conn *
find_place(struct peer *p)
{
    for (unsigned i = 0; i < p->num_conns; i++)
        if (p->conns[i].over) {
            end_connection(&p->conns[i]);
            return &p->conns[i];
        }
    if (p->num_conns == PEER_CONNECTIONS)
        abort();
    return &p->conns[p->num_conns++];
}

static void *
listen_for(void *arg)
{
    struct peer *p = (struct peer *)arg;
    int fd;

    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        struct peer_conn *c;
        int one = 1;

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        pthread_mutex_lock(&p->lock);
        c = find_place(p);
        *c = (struct peer_conn){.peer = p, .fd = fd};
        if (pthread_create(&c->thread, NULL, serve, c) != 0)
            abort();
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

/* ---- for tests ---- */

struct peer *
peer_new(void)
{
    struct peer *p = calloc(1, sizeof(*p));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);

    assert_non_null(p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(p->listener, 64), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &size), 0);
    snprintf(p->address, sizeof(p->address), "127.0.0.1:%u", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&p->thread, NULL, listen_for, p), 0);
    return p;
}

void
peer_free(struct peer *p)
{
    peer_stall(p, 0);
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
    for (unsigned i = 0; i < p->num_conns; i++) {
        shutdown(p->conns[i].fd, SHUT_RDWR);
        end_connection(&p->conns[i]);
    }
    for (unsigned i = 0; i < p->num_models; i++)
        vector_free(&p->models[i].v);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct peer_model *
peer_add(struct peer *p, const char *busid, const char *vector, uint32_t speed)
{
    struct peer_model *m;

    pthread_mutex_lock(&p->lock);
    assert_true(p->num_models < PEER_MODELS);
    m = &p->models[p->num_models];
    snprintf(m->busid, sizeof(m->busid), "%s", busid);
    m->speed = speed;
    vector_read(&m->v, vector);
    p->num_models++;
    pthread_mutex_unlock(&p->lock);
    return m;
}

void
peer_script(struct peer *p,
            int (*script)(struct peer_conn *conn, const struct uw_pdu *pdu, void *arg), void *arg)
{
    pthread_mutex_lock(&p->lock);
    p->script = script;
    p->arg = arg;
    pthread_mutex_unlock(&p->lock);
}

void
peer_stall(struct peer *p, unsigned stalled)
{
    pthread_mutex_lock(&p->lock);
    p->stalled = stalled;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void
peer_cut(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->num_conns; i++)
        if (p->conns[i].model)
            peer_hang_up(&p->conns[i]);
    pthread_mutex_unlock(&p->lock);
}
