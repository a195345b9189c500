/* A Socket.IO load over WebSocket that one core can outrun one core of any server with.
 *
 *   wire_load -p PORT -n CONNECTIONS [-c CONNECTORS] [-a AUTH] [-r ROOMS] [-w WINDOW] [-b PUBLISHERS] [-d SECONDS] [-z PAD]
 *   wire_load -p PORT -n CONNECTIONS -i [-j EVENT]   connect, print, stay idle until standard input ends
 *
 * Connection i joins room "r<i mod ROOMS>" by the event `join`. Publishers are further connections; they send
 * `pub` [{t, p}, room] to one room after the other, so that at most WINDOW messages have not been received by all
 * members yet; the server emits `msg` [{t, p}] to the room. Pings are answered. A line of JSON comes out:
 * connects per second (TCP, upgrade and CONNECT, CONNECTORS at a time), deliveries per second, latencies from publish
 * to receipt in milliseconds, and reads per delivery. The first second is warm-up; when it is over a line says so.
 * With -j a connection sends this event after its CONNECT and counts as connected when it is acknowledged. Several -a and
 * -j are taken in turns.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UPGRADING, OPENING, JOINED };
enum { CARRY = 512, READ = 1 << 18, EVENTS = 512, SAMPLES = 4000000, PER_ADDRESS = 1000, MANY = 64 };

typedef struct {
  int fd, stage, number, carried;
  uint64_t skip; /* bytes of a large frame that are still to come */
  char carry[CARRY];
} Connection;

static int port, connections, connectors = 4, rooms = 1, window = 1, publishers = 1, seconds = 5, pad = 64, idle;
static const char *auths[MANY], *events[MANY];
static int auth_count, event_count;
static int epoll, joined, failed;
static Connection *all;
static uint64_t delivered, reads, sampled, *latencies;
static int sampling;

static uint64_t now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000ull + at.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(2);
}

static void send_all(int fd, const char *data, size_t size) {
  while (size) {
    ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) die("send");
    data += sent, size -= sent;
  }
}

static void send_text(int fd, const char *text) {
  static char frame[1 << 16];
  size_t size = strlen(text), head = 2;
  frame[0] = (char)0x81;
  if (size < 126) {
    frame[1] = (char)(0x80 | size);
  } else {
    frame[1] = (char)(0x80 | 126), frame[2] = (char)(size >> 8), frame[3] = (char)size, head = 4;
  }
  memset(frame + head, 0, 4); /* a mask of zeros */
  memcpy(frame + head + 4, text, size);
  send_all(fd, frame, head + 4 + size);
}

static void dial(int number) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)}, from = {.sin_family = AF_INET};
  Connection *one = &all[number];
  int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  /* Few of each address, and the port chosen by connect(2): bind(2) walks over all ports taken, 2.6 ms at 10,000. */
  from.sin_addr.s_addr = htonl(0x7f000002 + number / PER_ADDRESS);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (bind(fd, (void *)&from, sizeof from)) die("bind");
  if (connect(fd, (void *)&to, sizeof to)) die("connect");
  char head[512];
  int size = snprintf(head, sizeof head,
                      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                      "Sec-WebSocket-Version: 13\r\n\r\n", port);
  send_all(fd, head, size);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  *one = (Connection){.fd = fd, .number = number};
  struct epoll_event event = {EPOLLIN, {.ptr = one}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void on_message(Connection *one, const char *text, size_t size, uint64_t *at) {
  if (size >= 1 && text[0] == '2') {
    send_text(one->fd, "3");
  } else if (size >= 1 && text[0] == '0') {
    char connect[4096];
    snprintf(connect, sizeof connect, "40%s", auth_count ? auths[one->number % auth_count] : "{}");
    send_text(one->fd, connect);
  } else if (size >= 2 && text[0] == '4' && text[1] == '0') {
    char join[1024];
    if (event_count) {
      snprintf(join, sizeof join, "421%s", events[one->number % event_count]);
      send_text(one->fd, join);
      return;
    }
    one->stage = JOINED, joined++;
    snprintf(join, sizeof join, "42[\"join\",\"r%d\"]", one->number % rooms);
    if (!idle && one->number < connections) send_text(one->fd, join);
  } else if (size >= 4 && !memcmp(text, "431[", 4)) {
    one->stage = JOINED, joined++;
  } else if (size >= 2 && text[0] == '4' && text[1] == '4') {
    fprintf(stderr, "refused: %.*s\n", (int)size, text), exit(2);
  } else if (size > 32 && !memcmp(text, "42[\"msg\"", 8)) {
    delivered++;
    if (sampling && !(delivered & 15) && sampled < SAMPLES) {
      const char *mark = memchr(text, '@', size);
      if (!*at) *at = now();
      if (mark) latencies[sampled++] = *at - strtoull(mark + 1, NULL, 10);
    }
  }
}

/* Takes whole frames from `data`; returns how many bytes were used. */
static size_t take(Connection *one, const char *data, size_t size) {
  size_t place = 0;
  uint64_t at = 0;
  if (one->skip) {
    place = one->skip < size ? one->skip : size, one->skip -= place;
  }
  while (size - place >= 2) {
    const unsigned char *frame = (const unsigned char *)data + place;
    uint64_t length = frame[1] & 127, head = 2;
    if (length == 126) {
      if (size - place < 4) break;
      length = frame[2] << 8 | frame[3], head = 4;
    } else if (length == 127) {
      if (size - place < 10) break;
      length = 0, head = 10;
      for (int byte = 2; byte < 10; byte++) length = length << 8 | frame[byte];
    }
    if (size - place < head + length) {
      if (head + length <= CARRY) break;
      one->skip = head + length - (size - place), place = size;
      break;
    }
    if ((frame[0] & 15) == 8) failed++;
    on_message(one, (const char *)frame + head, length, &at);
    place += head + length;
  }
  return place;
}

static void on_readable(Connection *one) {
  static char buffer[READ + CARRY];
  memcpy(buffer, one->carry, one->carried);
  ssize_t got = recv(one->fd, buffer + one->carried, READ, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    failed++;
    epoll_ctl(epoll, EPOLL_CTL_DEL, one->fd, NULL);
    return;
  }
  size_t size = one->carried + got, used = 0;
  reads++;
  if (one->stage == UPGRADING) {
    char *end = memmem(buffer, size, "\r\n\r\n", 4);
    if (end && !memmem(buffer, end - buffer, " 101 ", 5)) fprintf(stderr, "no 101\n"), exit(2);
    if (end) used = end + 4 - buffer, one->stage = OPENING;
  }
  if (one->stage != UPGRADING) used += take(one, buffer + used, size - used);
  one->carried = size - used;
  if (one->carried > CARRY) fprintf(stderr, "a frame's rest does not fit\n"), exit(2);
  memcpy(one->carry, buffer + used, one->carried);
}

static void turn(int timeout_ms) {
  struct epoll_event events[EVENTS];
  int ready = epoll_wait(epoll, events, EVENTS, timeout_ms);
  for (int each = 0; each < ready; each++) on_readable(events[each].data.ptr);
}

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static double quantile(double share) { return sampled ? latencies[(size_t)(sampled * share)] / 1e6 : 0; }

static void options(int count, char **words) {
  int option;
  while ((option = getopt(count, words, "p:n:c:a:j:r:w:b:d:z:i")) != -1) switch (option) {
      case 'p': port = atoi(optarg); break;
      case 'n': connections = atoi(optarg); break;
      case 'c': connectors = atoi(optarg); break;
      case 'a': if (auth_count < MANY) auths[auth_count++] = optarg; break;
      case 'j': if (event_count < MANY) events[event_count++] = optarg; break;
      case 'r': rooms = atoi(optarg); break;
      case 'w': window = atoi(optarg); break;
      case 'b': publishers = atoi(optarg); break;
      case 'd': seconds = atoi(optarg); break;
      case 'z': pad = atoi(optarg); break;
      case 'i': idle = 1; break;
      default: exit(1);
    }
}

static void publish(uint64_t number) {
  static char text[1 << 15], filling[1 << 14];
  if (!filling[0]) memset(filling, 'x', pad < (int)sizeof filling ? pad : (int)sizeof filling - 1);
  snprintf(text, sizeof text, "42[\"pub\",{\"t\":\"@%019llu@\",\"p\":\"%s\"},\"r%d\"]", (unsigned long long)now(), filling,
           (int)(number % rooms));
  send_text(all[connections + number % rooms % publishers].fd, text);
}

int main(int count, char **words) {
  struct rlimit files;
  options(count, words);
  getrlimit(RLIMIT_NOFILE, &files), files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  int total = connections + (idle ? 0 : publishers), dialled = 0;
  all = calloc(total, sizeof *all), latencies = malloc(SAMPLES * sizeof *latencies), epoll = epoll_create1(0);
  uint64_t began = now();
  while (joined < total) {
    while (dialled < total && dialled - joined < connectors) dial(dialled++);
    turn(1000);
    if (failed) fprintf(stderr, "closed while connecting\n"), exit(2);
  }
  double connecting = (now() - began) / 1e9;
  if (idle) {
    printf("{\"connections\":%d,\"connects_per_s\":%.0f}\n", connections, total / connecting), fflush(stdout);
    struct epoll_event event = {EPOLLIN, {.ptr = NULL}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
    for (;;) {
      struct epoll_event events[EVENTS];
      int ready = epoll_wait(epoll, events, EVENTS, -1);
      for (int each = 0; each < ready; each++) {
        if (!events[each].data.ptr) return failed ? 3 : 0;
        on_readable(events[each].data.ptr);
      }
    }
  }
  for (uint64_t until = now() + 1000000000ull; now() < until;) turn(50); /* joins are not acknowledged */
  uint64_t members = connections / rooms, published = 0, start = now(), end = start + seconds * 1000000000ull;
  uint64_t warm = start + 1000000000ull, before = 0, reads_before = 0;
  for (uint64_t at; (at = now()) < end;) {
    if (!sampling && at >= warm) {
      sampling = 1, warm = at, before = delivered, reads_before = reads;
      printf("{\"measuring\":true}\n"), fflush(stdout);
    }
    while (published * members <= delivered + (uint64_t)(window - 1) * members) publish(published++);
    turn(10);
  }
  double took = (now() - warm) / 1e9;
  uint64_t counted = delivered - before;
  qsort(latencies, sampled, sizeof *latencies, by_size);
  printf("{\"connections\":%d,\"connects_per_s\":%.0f,\"deliveries_per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
         "\"reads_per_delivery\":%.3f,\"failed\":%d}\n",
         connections, total / connecting, counted / took, quantile(.5), quantile(.99),
         counted ? (double)(reads - reads_before) / counted : 0, failed);
  return failed ? 3 : 0;
}
