/* pusherload: a load generator for Pusher-protocol WebSocket servers.
 *
 * Talk (the default). Opens rooms x members connections, subscribes each to its room's private
 * channel (signed with key/secret), then lets the first `publishers` members of every room send
 * client events and counts what the other members receive.
 *
 *   closed loop (--rate 0): each publisher sends its next event when its last --window events
 *     have reached every other member: a measure of throughput.
 *   open loop (--rate R): each publisher sends R events a second, whatever comes back: a measure
 *     of latency at a load.
 *
 * --idle S     the connections stay open for S seconds; with --publishers 0, that is all.
 * --spread W   the data also says where its sender is, x and y: he walks at random in a square W wide.
 * --near R     only what comes from within R of where the listener is now counts for the milliseconds.
 * --churn      each of the rooms x members slots connects, subscribes, closes, and starts again.
 * --http N     N keep-alive connections publish over the signed HTTP API to one channel without
 *              subscribers; each awaits its answer before it sends the next request, and connects
 *              anew where the answer says "Connection: close".
 *
 * --server P,Q reads the CPU time of these processes from /proc, and the first one's resident memory.
 * --port2      members with an odd number connect there, so that a room spans two nodes.
 * --gate FILE  nobody talks before this file exists, so that several generators start together.
 *
 * One thread, epoll, loopback. Prints one JSON line.
 * Build: cc -O2 -o pusherload pusherload.c -lssl -lcrypto -lz
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { CONNECTING, TLSHAND, UPGRADING, SUBSCRIBING, READY, DONE, DEAD };

typedef struct conn {
    int fd, state, room, member, publisher;
    SSL *ssl;
    uint8_t *in; size_t in_len, in_cap;
    uint8_t *out; size_t out_len, out_off, out_cap;
    uint64_t sent;          /* events this publisher has sent */
    uint64_t next_due_ns;   /* open loop */
    uint64_t started_ns;    /* --churn: when it connected; --http: or sent its request */
    z_stream *inflater;     /* --deflate, and the server keeps its context */
    int want_out, keeps_context;
    double x, y;            /* --spread */
} conn;

static struct {
    const char *host, *path, *app_id, *key, *secret, *prefix, *servers, *gate;
    int port, port2, rooms, members, publishers, size, window, burst, http;
    int tls, deflate, connect_only, churn;
    double rate, duration, warmup, idle, spread, near;
} opt = {
    .host = "127.0.0.1", .path = "/app/app-key?protocol=7&client=load&version=1",
    .app_id = "app-id", .key = "app-key", .secret = "app-secret", .prefix = "private-load",
    .port = 6001, .rooms = 1, .members = 100, .publishers = 1, .size = 120, .window = 1,
    .burst = 200, .duration = 5, .warmup = 1,
};

static int ep;
static conn *conns; static int n_conns;
static uint64_t *room_deliveries;  /* per publisher slot: deliveries of its events */
static int ready_count, dead_count;
static uint64_t deliveries, arrivals, publishes, turns, reconnects, bytes_in; static int measuring;
static uint64_t t_measure;
static uint32_t *lat_us; static size_t lat_n, lat_cap = 1 << 20;
static SSL_CTX *ctx;

static uint64_t now_ns(void) {
    struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void die(const char *m) { perror(m); exit(1); }

/* ---- what is counted ------------------------------------------------------------------------ */

/* All of them up to lat_cap, then an even sample. */
static void note_latency(uint64_t since_ns) {
    uint32_t us = (now_ns() - since_ns) / 1000;
    if (lat_n < lat_cap) { lat_us[lat_n++] = us; return; }
    static uint64_t k; k++;
    uint64_t r = (k * 2654435761u) % (lat_n + k);
    if (r < lat_cap) lat_us[r] = us;
}
static int by_value(const void *a, const void *b) {
    uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b; return x < y ? -1 : x > y;
}
static double latency_ms(double p) { return lat_n ? lat_us[(size_t)((lat_n - 1) * p)] / 1000.0 : 0; }

typedef struct { double load, server, others; } cpu;  /* seconds so far */

static char *first_line(const char *name) {
    static char line[1024]; FILE *f = fopen(name, "r"); if (!f) die(name);
    if (!fgets(line, sizeof line, f)) die(name);
    fclose(f); return line;
}
/* proc(5): fields 14 and 15 of /proc/PID/stat; in /proc/stat, idle and iowait are left out. */
static cpu cpu_now(void) {
    cpu c = { 0, 0, 0 }; double tick = sysconf(_SC_CLK_TCK);
    struct rusage u; getrusage(RUSAGE_SELF, &u);
    c.load = u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    unsigned long long user = 0, kernel = 0, nice = 0, irq = 0, softirq = 0, steal = 0;
    for (const char *at = opt.servers; at; at = (at = strchr(at, ',')) ? at + 1 : NULL) {
        char name[64]; snprintf(name, sizeof name, "/proc/%d/stat", atoi(at));
        sscanf(strrchr(first_line(name), ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &kernel);
        c.server += (user + kernel) / tick;
    }
    sscanf(first_line("/proc/stat"), "cpu %llu %llu %llu %*u %*u %llu %llu %llu", &user, &nice, &kernel, &irq, &softirq, &steal);
    c.others = (user + nice + kernel + irq + softirq + steal) / tick - c.load - c.server;
    return c;
}
/* Shares of a core, as the end of a JSON object. */
static void print_cpu(cpu before, cpu after, double seconds) {
    printf("\"load_cpu\":%.2f,\"server_cpu\":%.2f,\"others_cpu\":%.2f}\n", (after.load - before.load) / seconds,
        (after.server - before.server) / seconds, (after.others - before.others) / seconds);
}
static long server_resident(void) {  /* bytes */
    if (!opt.servers) return 0;
    char name[64]; snprintf(name, sizeof name, "/proc/%d/statm", atoi(opt.servers));
    FILE *f = fopen(name, "r"); if (!f) die(name);
    long pages = 0; if (fscanf(f, "%*d %ld", &pages) != 1) pages = 0;
    fclose(f); return pages * sysconf(_SC_PAGESIZE);
}

/* ---- a connection --------------------------------------------------------------------------- */

static void arm(conn *c, int out) {
    if (c->want_out == out) return;
    struct epoll_event e = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c };
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e); c->want_out = out;
}
static void drop(conn *c) {
    if (c->ssl) SSL_free(c->ssl), c->ssl = NULL;
    if (c->inflater) inflateEnd(c->inflater), free(c->inflater), c->inflater = NULL;
    close(c->fd);
}
static void kill_conn(conn *c) {
    if (c->state == DEAD) return;
    if (c->state == READY) ready_count--;
    c->state = DEAD; dead_count++; drop(c);
}
static void flush_out(conn *c) {
    while (c->out_off < c->out_len) {
        ssize_t n;
        if (c->ssl) {
            n = SSL_write(c->ssl, c->out + c->out_off, c->out_len - c->out_off);
            if (n <= 0) {
                int e = SSL_get_error(c->ssl, n);
                if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ) arm(c, 1); else kill_conn(c);
                return;
            }
        } else {
            n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
            if (n < 0) { if (errno == EAGAIN) arm(c, 1); else kill_conn(c); return; }
        }
        c->out_off += n;
    }
    c->out_off = c->out_len = 0; arm(c, 0);
}
static void put(conn *c, const void *d, size_t n) {
    if (c->out_len + n > c->out_cap) { c->out_cap = (c->out_len + n) * 2; c->out = realloc(c->out, c->out_cap); }
    memcpy(c->out + c->out_len, d, n); c->out_len += n;
}
/* At least `room` bytes more than the answer fit behind it. 0: all that is there; -1: it is gone. */
static ssize_t take_in(conn *c) {
    enum { room = 8 };
    if (c->in_cap - c->in_len < 16384) {
        c->in_cap = c->in_cap ? c->in_cap * 2 : 32768; c->in = realloc(c->in, c->in_cap);
    }
    ssize_t n; size_t most = c->in_cap - c->in_len - room;
    if (c->ssl) {
        n = SSL_read(c->ssl, c->in + c->in_len, most);
        if (n <= 0) {
            int e = SSL_get_error(c->ssl, n);
            if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return 0;
            kill_conn(c); return -1;
        }
    } else {
        n = recv(c->fd, c->in + c->in_len, most, 0);
        if (n < 0 && errno == EAGAIN) return 0;
        if (n <= 0) { kill_conn(c); return -1; }
    }
    if (measuring) bytes_in += n;
    c->in_len += n; return n;
}
static void forget_in(conn *c, size_t n) {
    if (n) { memmove(c->in, c->in + n, c->in_len - n); c->in_len -= n; }
}

/* ---- the Pusher protocol -------------------------------------------------------------------- */

static void hex_of(const unsigned char *d, unsigned n, char *hex) {
    for (unsigned i = 0; i < n; i++) sprintf(hex + 2 * i, "%02x", d[i]);
}
static void sign(const char *text, size_t n, char *hex) {
    unsigned char mac[32]; unsigned len;
    HMAC(EVP_sha256(), opt.secret, strlen(opt.secret), (const unsigned char *)text, n, mac, &len);
    hex_of(mac, len, hex);
}
static void send_text(conn *c, const char *s, size_t n) {
    uint8_t h[14]; size_t hl; uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    h[0] = 0x81;
    if (n < 126) { h[1] = 0x80 | n; hl = 2; }
    else if (n < 65536) { h[1] = 0x80 | 126; h[2] = n >> 8; h[3] = n; hl = 4; }
    else { h[1] = 0x80 | 127; for (int i = 0; i < 8; i++) h[2 + i] = (uint64_t)n >> (56 - 8 * i); hl = 10; }
    memcpy(h + hl, mask, 4); hl += 4; put(c, h, hl);
    size_t at = c->out_len; put(c, s, n);
    for (size_t i = 0; i < n; i++) c->out[at + i] ^= mask[i & 3];
    flush_out(c);
}
static int channel_name(conn *c, char *b, size_t n) { return snprintf(b, n, "%s-%d", opt.prefix, c->room); }
static void subscribe(conn *c, const char *socket_id) {
    char ch[128], tosign[400], msg[900], hex[65];
    channel_name(c, ch, sizeof ch);
    int presence = !strncmp(ch, "presence-", 9), n;
    char cd[160] = ""; if (presence) snprintf(cd, sizeof cd, "{\"user_id\":\"u%d\"}", c->member);
    n = snprintf(tosign, sizeof tosign, "%s:%s%s%s", socket_id, ch, presence ? ":" : "", cd);
    sign(tosign, n, hex);
    if (presence) {
        char esc[300]; char *e = esc;
        for (char *p = cd; *p; p++) { if (*p == '"') *e++ = '\\'; *e++ = *p; }
        *e = 0;
        n = snprintf(msg, sizeof msg, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\",\"auth\":\"%s:%s\",\"channel_data\":\"%s\"}}", ch, opt.key, hex, esc);
    } else if (!strncmp(ch, "private-", 8))
        n = snprintf(msg, sizeof msg, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\",\"auth\":\"%s:%s\"}}", ch, opt.key, hex);
    else
        n = snprintf(msg, sizeof msg, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}", ch);
    send_text(c, msg, n);
}
/* Up to five one way or the other, and back at the walls. */
static void step(double *at) {
    *at += drand48() * 10 - 5;
    if (*at < 0) *at = -*at;
    if (*at > opt.spread) *at = 2 * opt.spread - *at;
}
static void publish(conn *c) {
    static char msg[1 << 20]; char ch[128]; channel_name(c, ch, sizeof ch);
    int n = snprintf(msg, sizeof msg, "{\"event\":\"client-move\",\"channel\":\"%s\",\"data\":{\"p\":%d,\"t\":%llu,\"pad\":\"", ch, c->member, (unsigned long long)now_ns());
    int pad = opt.size - n - 4; if (pad > 0) { memset(msg + n, 'x', pad); n += pad; }
    msg[n++] = '"';
    if (opt.spread > 0) {
        step(&c->x); step(&c->y);
        n += sprintf(msg + n, ",\"x\":%.1f,\"y\":%.1f", c->x, c->y);
    }
    n += sprintf(msg + n, "}}");
    c->sent++; if (measuring) publishes++;
    send_text(c, msg, n);
}
static int is_near(conn *c, int publisher) {
    if (!opt.near) return 1;
    conn *other = &conns[(size_t)c->room * opt.members + publisher];
    double x = c->x - other->x, y = c->y - other->y;
    return x * x + y * y <= opt.near * opt.near;
}
static void on_event(conn *c, char *p, size_t n) {
    char *t = memmem(p, n, "client-move", 11);
    if (!t) return;
    char *q = memmem(p, n, "\"t\":", 4); int esc = 0;
    if (!q) { q = memmem(p, n, "t\\\":", 4); esc = 1; }
    char *m = esc ? memmem(p, n, "p\\\":", 4) : memmem(p, n, "\"p\":", 4);
    if (!q || !m) return;
    uint64_t ts = strtoull(q + 4, NULL, 10); int pub = atoi(m + 4);
    room_deliveries[(size_t)c->room * opt.publishers + pub]++;
    if (measuring) arrivals++;
    if (measuring && ts >= t_measure) { deliveries++; if (is_near(c, pub)) note_latency(ts); }
}
static void on_subscribed(conn *c) {
    if (!opt.churn) { c->state = READY; ready_count++; return; }
    if (measuring && c->started_ns >= t_measure) { turns++; note_latency(c->started_ns); }
    c->state = DONE;
}
static void on_text(conn *c, char *p, size_t n) {
    if (c->state == READY) { on_event(c, p, n); return; }
    if (memmem(p, n, "connection_established", 22)) {
        char *s = memmem(p, n, "socket_id", 9); if (!s) return;
        s += 9; while (*s == '\\' || *s == '"' || *s == ':' || *s == ' ') s++;
        char id[80]; int i = 0; while (s < p + n && *s != '\\' && *s != '"' && i < 79) id[i++] = *s++;
        id[i] = 0;
        subscribe(c, id);
    } else if (memmem(p, n, "subscription_succeeded", 22)) on_subscribed(c);
    else if (memmem(p, n, "error", 5)) { fprintf(stderr, "server error: %.*s\n", (int)n, p); kill_conn(c); }
}

/* ---- WebSocket ------------------------------------------------------------------------------ */

static void start_upgrade(conn *c) {
    /* What browsers offer (RFC 7692, section 7.1.2.2). Our own frames go uncompressed, as they may. */
    const char *extensions = opt.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "";
    char req[700]; int n = snprintf(req, sizeof req, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", opt.path, opt.host, opt.port, extensions);
    c->state = UPGRADING; put(c, req, n); flush_out(c);
}
/* The length of the answer, 0 if it is not all there. */
static size_t on_upgraded(conn *c) {
    c->in[c->in_len] = 0; char *head = (char *)c->in, *end = strstr(head, "\r\n\r\n");
    if (!end) return 0;
    if (strncmp(head, "HTTP/1.1 101", 12)) { fprintf(stderr, "refused: %.60s\n", head); kill_conn(c); return 0; }
    *end = 0;
    if (opt.deflate && !strcasestr(head, "permessage-deflate")) { fprintf(stderr, "refused: permessage-deflate\n"); kill_conn(c); return 0; }
    c->keeps_context = !strcasestr(head, "server_no_context_takeover");
    c->state = SUBSCRIBING;
    if (opt.connect_only) { c->state = READY; ready_count++; }
    return end + 4 - head;
}
/* Four bytes behind the payload are overwritten, and put back. */
static void on_compressed(conn *c, uint8_t *p, size_t n) {
    static z_stream shared; static uint8_t text[1 << 20]; static int is_ready;
    z_stream *z = &shared;
    if (c->keeps_context) {
        if (!c->inflater) { c->inflater = calloc(1, sizeof *z); inflateInit2(c->inflater, -15); }
        z = c->inflater;
    } else if (is_ready) inflateReset(z);
    else { inflateInit2(z, -15); is_ready = 1; }
    uint8_t behind[4]; memcpy(behind, p + n, 4); memcpy(p + n, "\0\0\xff\xff", 4);
    z->next_in = p; z->avail_in = n + 4; z->next_out = text; z->avail_out = sizeof text - 1;
    int r = inflate(z, Z_SYNC_FLUSH);
    memcpy(p + n, behind, 4);
    if (r != Z_OK && r != Z_BUF_ERROR) { fprintf(stderr, "cannot inflate: %d\n", r); kill_conn(c); return; }
    *z->next_out = 0; on_text(c, (char *)text, z->next_out - text);
}
static void on_frames(conn *c) {
    size_t off = 0;
    if (c->state == UPGRADING) { off = on_upgraded(c); if (!off) return; }
    while (c->in_len - off >= 2) {
        uint8_t *h = c->in + off; uint64_t len = h[1] & 127; size_t hl = 2;
        if (len == 126) { if (c->in_len - off < 4) break; len = h[2] << 8 | h[3]; hl = 4; }
        else if (len == 127) { if (c->in_len - off < 10) break; len = 0; for (int i = 0; i < 8; i++) len = len << 8 | h[2 + i]; hl = 10; }
        if (c->in_len - off < hl + len) break;
        int op = h[0] & 15;
        if (op == 1 && h[0] & 0x40) on_compressed(c, h + hl, len);
        else if (op == 1) { char *p = (char *)h + hl; char keep = p[len]; p[len] = 0; on_text(c, p, len); p[len] = keep; }
        else if (op == 9) { uint8_t pong[6] = { 0x8a, 0x80, 0, 0, 0, 0 }; put(c, pong, 6); flush_out(c); }
        else if (op == 8) kill_conn(c);
        if (c->state == DEAD || c->state == DONE) return;
        off += hl + len;
    }
    forget_in(c, off);
}

/* ---- the HTTP API --------------------------------------------------------------------------- */

static void request(conn *c) {
    static char body[1 << 20], head[1024]; char query[300], tosign[500], md5[33], mac[65];
    int n = snprintf(body, sizeof body, "{\"name\":\"load\",\"channels\":[\"load\"],\"data\":\"{\\\"t\\\":%llu,\\\"pad\\\":\\\"", (unsigned long long)now_ns());
    int pad = opt.size - n - 6; if (pad > 0) { memset(body + n, 'x', pad); n += pad; }
    n += sprintf(body + n, "\\\"}\"}");
    unsigned char d[16]; unsigned len; EVP_Digest(body, n, d, &len, EVP_md5(), NULL); hex_of(d, len, md5);
    snprintf(query, sizeof query, "auth_key=%s&auth_timestamp=%lld&auth_version=1.0&body_md5=%s", opt.key, (long long)time(NULL), md5);
    sign(tosign, snprintf(tosign, sizeof tosign, "POST\n/apps/%s/events\n%s", opt.app_id, query), mac);
    int hl = snprintf(head, sizeof head, "POST /apps/%s/events?%s&auth_signature=%s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", opt.app_id, query, mac, opt.host, opt.port, n);
    put(c, head, hl); put(c, body, n); flush_out(c);
}
static void on_answer(conn *c) {
    c->in[c->in_len] = 0; char *head = (char *)c->in, *end = strstr(head, "\r\n\r\n");
    if (!end) return;
    *end = 0; char *length = strcasestr(head, "\r\ncontent-length:");
    int is_last = strcasestr(head, "\r\nconnection: close") != NULL;
    size_t whole = end + 4 - head + (length ? strtoul(length + 17, NULL, 10) : 0);
    *end = '\r';
    if (strncmp(head, "HTTP/1.1 200", 12) || !length) { fprintf(stderr, "answered: %.300s\n", head); kill_conn(c); return; }
    if (c->in_len < whole) return;
    forget_in(c, whole);
    if (measuring && c->started_ns >= t_measure) { turns++; note_latency(c->started_ns); }
    if (!is_last) { c->started_ns = now_ns(); request(c); return; }
    if (measuring) reconnects++;
    ready_count--; c->state = DONE;
}

/* ---- epoll ---------------------------------------------------------------------------------- */

static void open_conn(conn *c) {
    static int opened;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); if (c->fd < 0) die("socket");
    int one = 1; setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int k = opened++ / 20000 % 250;  /* spread sources over 127.0.0.x so that ports do not run out */
    if (k > 0) {
        struct sockaddr_in s = { .sin_family = AF_INET }; s.sin_addr.s_addr = htonl(0x7f000001 + k);
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (void *)&s, sizeof s) < 0) die("bind");
    }
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(opt.port2 && c->member % 2 ? opt.port2 : opt.port) };
    inet_pton(AF_INET, opt.host, &a.sin_addr);
    c->state = CONNECTING; c->started_ns = now_ns(); c->in_len = c->out_len = c->out_off = 0;
    if (connect(c->fd, (void *)&a, sizeof a) < 0 && errno != EINPROGRESS) die("connect");
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c }; c->want_out = 1;
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}
static void start_talking(conn *c) {
    if (!opt.http) { start_upgrade(c); return; }
    c->state = READY; ready_count++; request(c);
}
static void event(conn *c, uint32_t ev) {
    if (c->state == DEAD) return;
    if (c->state == CONNECTING && (ev & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        int err = 0; socklen_t l = sizeof err; getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
        if (err) { fprintf(stderr, "connect: %s\n", strerror(err)); kill_conn(c); return; }
        if (!opt.tls) { start_talking(c); return; }
        c->ssl = SSL_new(ctx); SSL_set_fd(c->ssl, c->fd); SSL_set_connect_state(c->ssl);
        SSL_set_tlsext_host_name(c->ssl, "localhost"); c->state = TLSHAND;
    }
    if (c->state == TLSHAND) {
        int r = SSL_do_handshake(c->ssl);
        if (r != 1) {
            int e = SSL_get_error(c->ssl, r);
            if (e == SSL_ERROR_WANT_READ) arm(c, 0); else if (e == SSL_ERROR_WANT_WRITE) arm(c, 1); else kill_conn(c);
            return;
        }
        start_talking(c);
    }
    if (ev & EPOLLOUT) flush_out(c);
    if (ev & (EPOLLIN | EPOLLHUP | EPOLLERR))
        while (c->state != DEAD && c->state != DONE && take_in(c) > 0) { if (opt.http) on_answer(c); else on_frames(c); }
    if (c->state == DONE) { drop(c); open_conn(c); }
}
static int pump(int ms) {
    static struct epoll_event ev[1024]; int n = epoll_wait(ep, ev, 1024, ms);
    for (int i = 0; i < n; i++) event(ev[i].data.ptr, ev[i].events);
    return n;
}

/* ---- the workloads -------------------------------------------------------------------------- */

static int connect_all(double *setup) {
    uint64_t t0 = now_ns(), deadline = t0 + 120000000000ull; int opened = 0;
    while (ready_count + dead_count < n_conns && now_ns() < deadline) {
        while (opened < n_conns && opened - ready_count - dead_count < opt.burst) open_conn(&conns[opened++]);
        pump(100);
    }
    *setup = (now_ns() - t0) / 1e9;
    if (ready_count < n_conns) {
        printf("{\"error\":\"only %d of %d connections ready\",\"dead\":%d,\"setup_s\":%.3f}\n", ready_count, n_conns, dead_count, *setup);
        return 0;
    }
    fprintf(stderr, "%d ready in %.2f s\n", ready_count, *setup);
    return 1;
}
static int stay_idle(double setup, long resident) {
    uint64_t end = now_ns() + (uint64_t)(opt.idle * 1e9); while (now_ns() < end) pump(50);
    if (opt.publishers && !opt.connect_only) return 0;
    printf("{\"connections\":%d,\"setup_s\":%.3f,\"handshakes_per_s\":%.0f,\"alive_after_idle\":%d,\"dead\":%d,\"rss_per_connection\":%.0f}\n",
        n_conns, setup, n_conns / setup, ready_count, dead_count, (double)(server_resident() - resident) / n_conns);
    return 1;
}
/* Every connection does one thing again and again: --churn and --http. */
static int take_turns(void) {
    uint64_t mstart = now_ns() + (uint64_t)(opt.warmup * 1e9), end = mstart + (uint64_t)(opt.duration * 1e9);
    cpu before = { 0, 0, 0 };
    for (int i = 0; i < n_conns; i++) open_conn(&conns[i]);
    for (uint64_t t; (t = now_ns()) < end; pump(1)) {
        if (!measuring && t >= mstart) { measuring = 1; t_measure = t; before = cpu_now(); }
        if (dead_count == n_conns) { printf("{\"error\":\"all %d connections died\",\"dead\":%d}\n", n_conns, dead_count); return 1; }
    }
    double dur = (now_ns() - t_measure) / 1e9; cpu after = cpu_now();
    qsort(lat_us, lat_n, sizeof *lat_us, by_value);
    printf("{\"connections\":%d,\"size\":%d,\"%s\":%.0f,\"reconnects\":%lld,\"dead\":%d,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,",
        n_conns, opt.size, opt.http ? "requests_per_s" : "handshakes_per_s", turns / dur, (long long)reconnects, dead_count,
        latency_ms(.5), latency_ms(.99), latency_ms(1));
    print_cpu(before, after, dur);
    return 0;
}
static void talk(double setup) {
    uint64_t start = now_ns(), mstart = start + (uint64_t)(opt.warmup * 1e9), end = mstart + (uint64_t)(opt.duration * 1e9);
    int npub = opt.rooms * opt.publishers, k = 0; conn **pubs = malloc(npub * sizeof *pubs);
    for (int i = 0; i < n_conns; i++) if (conns[i].publisher) pubs[k++] = &conns[i];
    for (int i = 0; i < n_conns; i++) { conns[i].x = drand48() * opt.spread; conns[i].y = drand48() * opt.spread; }
    if (opt.rate > 0) for (int i = 0; i < npub; i++) pubs[i]->next_due_ns = start + (uint64_t)(1e9 / opt.rate * i / npub);
    cpu before = { 0, 0, 0 }; uint64_t others = opt.members - 1;
    for (;;) {
        uint64_t t = now_ns(); if (t >= end) break;
        if (!measuring && t >= mstart) { measuring = 1; t_measure = t; before = cpu_now(); }
        int wait = 1;
        for (int i = 0; i < npub; i++) {
            conn *c = pubs[i]; if (c->state != READY) continue;
            if (opt.rate > 0) {
                while (c->state == READY && c->next_due_ns <= t) { publish(c); c->next_due_ns += (uint64_t)(1e9 / opt.rate); }
            } else {
                uint64_t got = room_deliveries[(size_t)c->room * opt.publishers + c->member];
                while (c->state == READY && c->sent < (uint64_t)opt.window + got / others) { publish(c); wait = 0; }
            }
        }
        pump(wait);
    }
    double dur = (now_ns() - t_measure) / 1e9; cpu after = cpu_now();
    /* drain: what was published in time but not yet delivered */
    uint64_t stop = now_ns() + 2000000000ull, expect = publishes * others, in_time = arrivals, bytes = bytes_in;
    while (now_ns() < stop && deliveries < expect) pump(20);
    qsort(lat_us, lat_n, sizeof *lat_us, by_value);
    printf("{\"connections\":%d,\"rooms\":%d,\"members\":%d,\"publishers\":%d,\"size\":%d,\"rate\":%g,\"setup_s\":%.2f,"
        "\"published_per_s\":%.0f,\"delivered_per_s\":%.0f,\"bytes_per_s\":%.0f,\"expected\":%lld,\"lost\":%lld,\"dead\":%d,"
        "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"p999_ms\":%.2f,\"max_ms\":%.2f,",
        n_conns, opt.rooms, opt.members, opt.publishers, opt.size, opt.rate, setup,
        publishes / dur, in_time / dur, bytes / dur, (long long)expect, (long long)(expect - deliveries), dead_count,
        latency_ms(.5), latency_ms(.99), latency_ms(.999), latency_ms(1));
    print_cpu(before, after, dur);
}

static void read_options(int argc, char **argv) {
    enum { HOST = 1, PORT, PORT2, PATH, APP_ID, KEY, SECRET, PREFIX, ROOMS, MEMBERS, PUBLISHERS, SIZE, WINDOW,
           RATE, DURATION, WARMUP, IDLE, BURST, SPREAD, HTTP, SERVER, TLS, DEFLATE, CONNECT_ONLY, CHURN, GATE, NEAR };
    static struct option known[] = {
        {"host",1,0,HOST}, {"port",1,0,PORT}, {"port2",1,0,PORT2}, {"path",1,0,PATH}, {"app-id",1,0,APP_ID},
        {"key",1,0,KEY}, {"secret",1,0,SECRET}, {"prefix",1,0,PREFIX}, {"rooms",1,0,ROOMS}, {"members",1,0,MEMBERS},
        {"publishers",1,0,PUBLISHERS}, {"size",1,0,SIZE}, {"window",1,0,WINDOW}, {"rate",1,0,RATE},
        {"duration",1,0,DURATION}, {"warmup",1,0,WARMUP}, {"idle",1,0,IDLE}, {"burst",1,0,BURST}, {"http",1,0,HTTP},
        {"server",1,0,SERVER}, {"tls",0,0,TLS}, {"deflate",0,0,DEFLATE}, {"connect-only",0,0,CONNECT_ONLY},
        {"churn",0,0,CHURN}, {"spread",1,0,SPREAD}, {"gate",1,0,GATE}, {"near",1,0,NEAR}, {0} };
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (o) {
        case HOST: opt.host = optarg; break;
        case PORT: opt.port = atoi(optarg); break;
        case PORT2: opt.port2 = atoi(optarg); break;
        case PATH: opt.path = optarg; break;
        case APP_ID: opt.app_id = optarg; break;
        case KEY: opt.key = optarg; break;
        case SECRET: opt.secret = optarg; break;
        case PREFIX: opt.prefix = optarg; break;
        case ROOMS: opt.rooms = atoi(optarg); break;
        case MEMBERS: opt.members = atoi(optarg); break;
        case PUBLISHERS: opt.publishers = atoi(optarg); break;
        case SIZE: opt.size = atoi(optarg); break;
        case WINDOW: opt.window = atoi(optarg); break;
        case RATE: opt.rate = atof(optarg); break;
        case DURATION: opt.duration = atof(optarg); break;
        case WARMUP: opt.warmup = atof(optarg); break;
        case IDLE: opt.idle = atof(optarg); break;
        case SPREAD: opt.spread = atof(optarg); break;
        case GATE: opt.gate = optarg; break;
        case NEAR: opt.near = atof(optarg); break;
        case BURST: opt.burst = atoi(optarg); break;
        case HTTP: opt.http = atoi(optarg); break;
        case SERVER: opt.servers = optarg; break;
        case TLS: opt.tls = 1; break;
        case DEFLATE: opt.deflate = 1; break;
        case CONNECT_ONLY: opt.connect_only = 1; break;
        case CHURN: opt.churn = 1; break;
        default: exit(2);
    }
    if (opt.publishers > opt.members) opt.publishers = opt.members;
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    struct rlimit rl; getrlimit(RLIMIT_NOFILE, &rl); rl.rlim_cur = rl.rlim_max; setrlimit(RLIMIT_NOFILE, &rl);
    if (opt.tls) {
        ctx = SSL_CTX_new(TLS_client_method()); SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    ep = epoll_create1(0);
    n_conns = opt.http ? opt.http : opt.rooms * opt.members; conns = calloc(n_conns, sizeof *conns);
    room_deliveries = calloc((size_t)opt.rooms * opt.publishers, sizeof *room_deliveries);
    lat_us = malloc(lat_cap * sizeof *lat_us);
    for (int i = 0; i < n_conns; i++) {
        conns[i].room = i / opt.members; conns[i].member = i % opt.members;
        conns[i].publisher = conns[i].member < opt.publishers;
    }
    if (opt.churn || opt.http) return take_turns();
    long resident = server_resident(); double setup;
    if (!connect_all(&setup)) return 1;
    while (opt.gate && access(opt.gate, F_OK)) pump(5);
    if ((opt.connect_only || opt.idle > 0) && stay_idle(setup, resident)) return 0;
    talk(setup);
    return 0;
}
