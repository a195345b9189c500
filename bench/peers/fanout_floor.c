/* The least a server can do per delivery: one epoll loop, and sends. Usage: fanout_floor send|ring PORT
 *
 * `send` calls send(2) once per recipient; `ring` asks for all sends of a turn in one call of io_uring's.
 * Not a server for anybody but bench/wire_load.c: it believes every byte, knows the events `join` and `pub` by their
 * place in the text, and answers the handshake with a constant. What it reaches is the kernel's share of the tables.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 20000, ROOMS = 1024, MEMBERS = 16384, READ = 1 << 16, EVENTS = 512, SLOTS = 1024, FRAME = 1 << 15 };

static const char upgraded[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
static struct {
  int upgraded, carried;
  char carry[4096];
} *connections;
static struct {
  int count, *members;
} rooms[ROOMS];
static struct {
  int file, waiting;
  unsigned *tail;
  struct io_uring_sqe *requests;
} ring = {.file = -1};

static void open_ring(void) {
  struct io_uring_params parameters = {.flags = IORING_SETUP_SUBMIT_ALL};
  ring.file = syscall(SYS_io_uring_setup, SLOTS, &parameters);
  if (ring.file < 0) exit(1);
  char *queue = mmap(NULL, parameters.sq_off.array + SLOTS * sizeof(unsigned), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_POPULATE, ring.file, IORING_OFF_SQ_RING);
  ring.tail = (unsigned *)(queue + parameters.sq_off.tail);
  for (unsigned slot = 0; slot < SLOTS; slot++) ((unsigned *)(queue + parameters.sq_off.array))[slot] = slot;
  ring.requests = mmap(NULL, SLOTS * sizeof *ring.requests, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.file,
                       IORING_OFF_SQES);
}

/* Only failures would be answered, and nobody reads why. */
static void submit(void) {
  syscall(SYS_io_uring_enter, ring.file, ring.waiting, 0, 0, NULL, 0);
  ring.waiting = 0;
}

static void ask(int fd, const char *frame, size_t size) {
  ring.requests[*ring.tail % SLOTS] = (struct io_uring_sqe){
      .opcode = IORING_OP_SEND, .flags = IOSQE_CQE_SKIP_SUCCESS, .fd = fd, .addr = (uintptr_t)frame, .len = size,
      .msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL};
  __atomic_store_n(ring.tail, *ring.tail + 1, __ATOMIC_RELEASE);
  if (++ring.waiting == SLOTS) submit();
}

static void deliver(int fd, const char *frame, size_t size) {
  if (ring.file < 0) send(fd, frame, size, MSG_NOSIGNAL);
  else ask(fd, frame, size);
}

static void send_text(int fd, const char *text) {
  char frame[128] = {(char)0x81, (char)strlen(text)};
  memcpy(frame + 2, text, strlen(text));
  send(fd, frame, strlen(text) + 2, MSG_NOSIGNAL);
}

static int room_named_last(const char *text, size_t size) {
  const char *name = memrchr(text, 'r', size);
  return atoi(name + 1) % ROOMS;
}

/* `42["pub",PAYLOAD,"rN"]` becomes `42["msg",PAYLOAD]`, framed once. */
static void publish(const char *text, size_t size) {
  static char frames[SLOTS][FRAME]; /* as many as requests can wait */
  static unsigned published;
  char *frame = frames[published++ % SLOTS];
  int room = room_named_last(text, size);
  size_t whole = (char *)memrchr(text, ',', size) - text + 1, head = whole < 126 ? 2 : 4;
  frame[0] = (char)0x81;
  if (head == 2) frame[1] = (char)whole;
  else frame[1] = 126, frame[2] = (char)(whole >> 8), frame[3] = (char)whole;
  memcpy(frame + head, text, whole - 1);
  memcpy(frame + head + 4, "msg", 3);
  frame[head + whole - 1] = ']';
  for (int each = 0; each < rooms[room].count; each++) deliver(rooms[room].members[each], frame, head + whole);
}

static void on_text(int fd, const char *text, size_t size) {
  if (size >= 2 && text[0] == '4' && text[1] == '0') {
    send_text(fd, "40{\"sid\":\"x\"}");
  } else if (size > 10 && !memcmp(text, "42[\"join\"", 9)) {
    int room = room_named_last(text, size);
    if (!rooms[room].members) rooms[room].members = malloc(MEMBERS * sizeof(int));
    rooms[room].members[rooms[room].count++] = fd;
  } else if (size > 10 && !memcmp(text, "42[\"pub\"", 8)) {
    publish(text, size);
  }
}

/* Whole masked frames of `data`; the load masks with zeros. Returns how many bytes were used. */
static size_t take(int fd, const char *data, size_t size) {
  size_t place = 0;
  while (size - place >= 8) {
    const unsigned char *frame = (const unsigned char *)data + place;
    size_t length = frame[1] & 127, head = 6;
    if (length == 126) length = frame[2] << 8 | frame[3], head = 8;
    if (size - place < head + length) break;
    on_text(fd, data + place + head, length);
    place += head + length;
  }
  return place;
}

static void on_readable(int fd) {
  static char buffer[READ];
  int carried = connections[fd].carried;
  memcpy(buffer, connections[fd].carry, carried);
  ssize_t got = recv(fd, buffer + carried, READ - carried, 0);
  if (got <= 0) {
    close(fd);
    return;
  }
  size_t size = carried + got, used = 0;
  if (!connections[fd].upgraded) {
    const char *end = memmem(buffer, size, "\r\n\r\n", 4);
    if (end) {
      used = end + 4 - buffer, connections[fd].upgraded = 1;
      send(fd, upgraded, sizeof upgraded - 1, MSG_NOSIGNAL);
      send_text(fd, "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":60000}");
    }
  }
  if (connections[fd].upgraded) used += take(fd, buffer + used, size - used);
  connections[fd].carried = size - used;
  memcpy(connections[fd].carry, buffer + used, size - used);
}

int main(int count, char **words) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files), files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  if (count != 3) return 2;
  if (!strcmp(words[1], "ring")) open_ring();
  int yes = 1, door = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(door, (void *)&here, sizeof here) || listen(door, 4096)) return 1;
  connections = calloc(FILES, sizeof *connections);
  epoll_ctl(epoll, EPOLL_CTL_ADD, door, &(struct epoll_event){EPOLLIN, {.fd = door}});
  for (;;) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int each = 0; each < ready; each++) {
      int fd = events[each].data.fd;
      if (fd != door) {
        on_readable(fd);
        continue;
      }
      fd = accept4(door, NULL, NULL, SOCK_NONBLOCK);
      if (fd < 0 || fd >= FILES) continue;
      memset(&connections[fd], 0, sizeof connections[fd]);
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.fd = fd}});
    }
    if (ring.waiting) submit();
  }
}
