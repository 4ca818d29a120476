/*
 * sim.h - the simulated bench from inside: server, connections, personality, faults
 *
 * One thread, no locks: everything here runs inside uw_sim_run.
 */
#ifndef UW_SIM_SIM_H
#define UW_SIM_SIM_H

#include <stdatomic.h>

#include "base/heap.h"
#include "base/list.h"
#include "sim/device.h"

/* Something that the server waits for. */
struct sim_source {
    int fd;
    void (*ready)(struct uw_sim *sim, struct sim_source *source, unsigned events);
};

struct sim_board_log;
struct sim_mdns;

enum sim_trait {
    SIM_SERIAL_SERVER = 1 << 0,       /* one URB at a time for all devices and connections */
    SIM_SERIAL_CONNECTION = 1 << 1,   /* one URB at a time for each connection */
    SIM_HIDES_USED = 1 << 2,          /* a device in use is not in the list */
    SIM_NO_EXCLUSION = 1 << 3,        /* lets a second client in */
    SIM_READ_SURVIVES = 1 << 4,       /* a waiting read holds the server after its client left */
    SIM_DEAD_AFTER_STALL = 1 << 5,    /* -19 for ever after a stall */
    SIM_NO_ISO = 1 << 6,              /* -95 for isochronous URBs */
    SIM_RELEASES_BY_HOST = 1 << 7,    /* a closing connection of a host frees its devices */
    SIM_READS_END = 1 << 8,           /* a read that waits too long ends without bytes */
    SIM_STALLS_SWALLOWED = 1 << 9,    /* status 0 and no bytes where a stall should be */
    SIM_NO_ALTSETTINGS = 1 << 10,     /* endpoints of an alternate setting do not work */
    SIM_OVERLONG = 1 << 11,           /* ignores wLength of GET_DESCRIPTOR */
    SIM_ANY_BUSID = 1 << 12,          /* the busid of an import is not looked at */
    SIM_REMEMBERS_SEQNUMS = 1 << 13,  /* drops a seqnum it has seen, across connections */
    SIM_GARBAGE = 1 << 14,            /* rubbish in place of the first RET_SUBMIT */
    SIM_SLOW = 1 << 15,               /* a byte at a time */
    SIM_HALF_PDU = 1 << 16,           /* closes in the middle of an answer */
    SIM_VANISHES = 1 << 17,           /* stops answering, connection open */
    SIM_STRICT = 1 << 18,             /* closes on a URB that Linux's usb_submit_urb refuses */
    SIM_STRICT_DIRECTION = 1 << 19,   /* -22 when direction and bmRequestType disagree */
    SIM_TRUNCATES = 1 << 20,          /* what has no room in a read is lost, with status 0 */
    SIM_FLUSHES = 1 << 21,            /* an unlink or READS_END fails all that waits there */
    SIM_OPEN_WHEN_GONE = 1 << 22,     /* the connection outlives the device */
    SIM_CONTROL_SILENT = 1 << 23,     /* a control request that fails is not answered */
    SIM_SMALL_WRITES = 1 << 24,       /* of OUT data 256 bytes are taken, with status 0 */
    SIM_SUMS_INTERFACES = 1 << 25,    /* records of the interfaces of all configurations */
    SIM_COUNTS_ALTSETTINGS = 1 << 26, /* a record for each alternate setting */
    SIM_TYPED = 1 << 27,              /* an interval makes an endpoint an interrupt endpoint */
    SIM_SAYS_HIGH = 1 << 28,          /* the speed of every device is high */
    SIM_FORGETS = 1 << 29             /* an import is the end of what waits for other clients */
};

struct sim_personality {
    const char *name, *text;
    const char *path;  /* with {busid}, {bus}, {dev}, {vid}, {pid} in it; NULL: as Linux */
    const char *busid; /* with {bus}, {dev}; NULL: as Linux */
    struct uw_habits habits;
    unsigned traits;
    uint32_t urb_us;                                     /* the time that every URB takes */
    uint32_t read_ms;                                    /* SIM_READS_END: how long a read waits */
    int32_t read_status;                                 /* and the status that it then gets */
    int32_t (*status)(int32_t status, uint8_t endpoint); /* its dialect; NULL: Linux */
    uint32_t import_refused;  /* import status for "in use"; 0: as Linux */
    uint32_t super_speed;     /* the number for SuperSpeed; 0: as Linux */
    int32_t unknown_endpoint; /* status; 0: never answered */
};

const struct sim_personality *sim_personality_find(const char *name);

enum sim_fail_kind {
    FAIL_STALL,
    FAIL_DROP,
    FAIL_DELAY,
    FAIL_SHORT,
    FAIL_OVERLONG,
    FAIL_GONE,
    FAIL_CLOSE,
    FAIL_LOG_CUT, /* from here on: of the log */
    FAIL_LOG_JUNK,
    FAIL_LOG_COUNT
};

struct sim_fail {
    struct uw_list link;
    enum sim_fail_kind kind;
    int endpoint;     /* address; -1: any */
    uint32_t after;   /* URBs that pass first */
    uint32_t every;   /* then every so many; 0: each */
    uint32_t count;   /* at most so often; 0: no end */
    uint32_t percent; /* with this probability */
    uint32_t ms;      /* FAIL_DELAY */
    uint32_t at;      /* FAIL_CLOSE, FAIL_LOG_CUT: bytes that are sent; FAIL_LOG_COUNT: too many */
    uint32_t random;  /* state of its own, so that runs are alike */
    uint32_t seen, done;
};

int sim_fail_parse(const char *spec, struct sim_fail **ret_fail, struct uw_fault *fault);
/* The fault that strikes a URB on an endpoint, or NULL. Counts. */
struct sim_fail *sim_fail_strikes(struct uw_sim *sim, uint8_t endpoint);
/* The same for a line of the log. */
struct sim_fail *sim_fail_strikes_log(struct uw_sim *sim);

/* A row of URBs that are done one after the other. */
struct sim_lane {
    struct uw_list queue; /* of struct uw_request */
    struct uw_request *current;
    struct sim_timer timer; /* until the present one may begin */
    int resting, advancing;
};

/* Bytes under way to us: the network's latency. */
struct sim_flight {
    struct uw_list link;
    struct uw_usec at;
    size_t size;
    uint8_t bytes[];
};

struct sim_conn {
    struct sim_source source; /* fd -1: the client left, its read did not */
    struct uw_list link;
    struct uw_list touched; /* in the bench's list */
    struct uw_sim *sim;
    uint32_t peer; /* IPv4 address of the other end, 0 for others */
    struct uw_session *session;
    struct sim_device *device;
    struct sim_lane lane;
    struct uw_list flights;
    size_t flying;
    struct sim_timer flight_timer;
    struct sim_timer slow_timer; /* SIM_SLOW: until the next few bytes */
    unsigned events;
    uint64_t urbs;
    size_t cut_after; /* FAIL_CLOSE: bytes still to be sent; SIZE_MAX: no end */
    int mute;         /* answers nothing any more */
    int orphaned;     /* its device has left: what is there by now is not it */
    int hangup;       /* closes once everything was sent */
    int dead;
};

struct sim_timeout {
    struct sim_timer timer;
    struct uw_list link;
    struct sim_device *device;
    struct uw_request *request;
    int32_t status;
    uint32_t actual;
    int begin; /* it has not been begun yet */
};

struct uw_sim {
    struct uw_list devices, conns, fails, timeouts;
    struct uw_list touched; /* of struct sim_conn: something changed */
    const struct sim_personality *personality;
    struct uw_usec latency, jitter;
    struct uw_log log; /* tells the next one, and the board's log */
    struct uw_log told;
    struct uw_heap timers;
    int epoll_fd;
    struct sim_source listener, wake;
    uint16_t port;                   /* that it listens on */
    struct sim_board_log *board_log; /* NULL: it has none */
    struct sim_mdns *mdns;           /* NULL: nobody is told of it */
    atomic_int stop;
    struct sim_lane lane;
    uint32_t random;
    unsigned next_devnum[3]; /* by bus number */
    uint32_t seen[1000];     /* SIM_REMEMBERS_SEQNUMS */
    unsigned seen_next;
    struct uw_usec now;
};

uint32_t sim_random(uint32_t *state);
void sim_set_timer(struct uw_sim *sim, struct sim_timer *timer, struct uw_usec at);

/* offer.c; the last two as struct uw_export has them, data being a struct sim_conn */
void sim_name_device(const struct uw_sim *sim, struct sim_device *device);
struct uw_device_list *sim_list_devices(void *data);
uint32_t sim_import_device(void *data, const char *busid, struct uw_device_info *ret_info);
void sim_describe_device(const struct sim_device *device, struct uw_device_info *ret_info);
/* How many devices there are in the list, and the last of them, or NULL. */
unsigned sim_offered(const struct uw_sim *sim, const struct sim_device **ret_last);

/* mdns.c */
/* Tells the world if what is offered has changed. */
void sim_mdns_refresh(struct sim_mdns *mdns);
/* Says farewell. */
void sim_mdns_close(struct uw_sim *sim);

/* server.c */
void sim_server_close(struct uw_sim *sim);
/* Waits for a source from now on; closing its descriptor ends that. NO_MEMORY. */
int sim_watch(struct uw_sim *sim, struct sim_source *source);
/* A descriptor that listens, as uw_sim_listen says it, or an error. */
int sim_open_listener(const char *bind_to, uint16_t port, uint16_t *ret_port,
                      struct uw_fault *fault);

/* boardlog.c */
void sim_board_log_write(struct sim_board_log *log, int level, const char *line);
void sim_board_log_close(struct sim_board_log *log);

/* conn.c */
void sim_conn_add(struct uw_sim *sim, int fd, uint32_t peer);
void sim_conn_close(struct sim_conn *conn);
void sim_conn_receive(struct sim_conn *conn);
/* There is something to do for a connection. */
void sim_touch(struct sim_conn *conn);
/* Does it, for all. */
void sim_settle(struct uw_sim *sim);
/* The connection closes once what is answered was sent. */
void sim_hang_up(struct sim_conn *conn);

/* urbs.c: between session and device */
void sim_lane_init(struct sim_lane *lane);
void sim_urb_submit(struct sim_conn *conn, struct uw_request *request);
int sim_urb_unlink(struct sim_conn *conn, struct uw_request *request);
/* The connection is going: forgets its requests. */
void sim_urbs_forget(struct sim_conn *conn);
void sim_lane_advance(struct uw_sim *sim, struct sim_lane *lane);
/* 1: its client may leave, but a URB of it goes on (SIM_READ_SURVIVES). */
int sim_urbs_survive(const struct sim_conn *conn);

#endif
