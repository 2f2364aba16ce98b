// What processes talk through.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "deep.h"

void check_pipes(void) {
  enum { total = 2 << 20 };
  static char buffer[65536];
  int ends[2];
  must(pipe(ends), "pipe");
  const pid_t pid = (pid_t)must(fork(), "fork");
  if (pid == 0) {
    close(ends[0]);
    for (uint32_t sent = 0; sent < total; sent += 4) {
      const uint32_t at = sent % sizeof buffer;
      memcpy(buffer + at, &sent, 4);
      if (at + 4 == sizeof buffer) must(write(ends[1], buffer, sizeof buffer), "write");
    }
    _exit(0);
  }
  close(ends[1]);
  uint32_t got = 0;
  for (;;) {
    struct pollfd readable = {.fd = ends[0], .events = POLLIN};
    must(poll(&readable, 1, -1), "poll");
    // Whole numbers only: a pipe may be read in any pieces.
    uint32_t number;
    ssize_t count = must(read(ends[0], buffer, sizeof buffer), "read");
    if (count == 0) break;
    while (count % 4 != 0) count += must(read(ends[0], buffer + count, 1), "read");
    for (ssize_t at = 0; at < count; at += 4, got += 4) {
      memcpy(&number, buffer + at, 4);
      if (number != got) broken("a pipe gave %u in the place of %u", number, got);
    }
  }
  if (got != total) broken("a pipe gave %u bytes of %d", got, total);
  expect_success(pid, "the writer");
  signal(SIGPIPE, SIG_IGN);
  must(pipe(ends), "pipe");
  close(ends[0]);
  if (write(ends[1], "x", 1) != -1 || errno != EPIPE) broken("a pipe without reader took a byte");
}

void check_sockets(void) {
  int pair[2], ends[2];
  must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
  must(pipe(ends), "pipe");
  const pid_t pid = (pid_t)must(fork(), "fork");
  char control[CMSG_SPACE(sizeof(int))] = {0};
  char text[8] = "";
  struct iovec bytes = {.iov_base = text, .iov_len = 4};
  struct msghdr message = {
      .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (pid == 0) {
    close(ends[1]);
    must(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC), "recvmsg");
    const struct cmsghdr* const head = CMSG_FIRSTHDR(&message);
    if (head == NULL || head->cmsg_type != SCM_RIGHTS) broken("no descriptor came with a message");
    if (strcmp(text, "take") != 0) broken("a socket gave \"%s\"", text);
    int passed;
    memcpy(&passed, CMSG_DATA(head), sizeof passed);
    if ((must(fcntl(passed, F_GETFD), "fcntl") & FD_CLOEXEC) == 0) {
      broken("a descriptor came without close-on-exec");
    }
    must(write(passed, "thanks", 6), "write");
    _exit(0);
  }
  memcpy(text, "take", 4);
  struct cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(head), &ends[1], sizeof(int));
  must(sendmsg(pair[0], &message, 0), "sendmsg");
  expect_success(pid, "the receiver");
  char answer[8] = "";
  must(read(ends[0], answer, 6), "read");
  if (strcmp(answer, "thanks") != 0) broken("a passed descriptor is another one");
  struct ucred peer;
  socklen_t size = sizeof peer;
  must(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &size), "getsockopt SO_PEERCRED");
  if (peer.pid != getpid() || peer.uid != geteuid()) broken("SO_PEERCRED names somebody else");
}

static void expect_event(int poll, uint64_t wanted, const char* what) {
  struct epoll_event event;
  const int count = (int)must(epoll_wait(poll, &event, 1, 5000), "epoll_wait");
  if (count != 1) broken("no event of %s came", what);
  if (event.data.u64 != wanted) broken("the event of %s came with other data", what);
}

static void watch(int poll, int fd, uint64_t data) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = data};
  must(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void check_events(void) {
  const int poll = (int)must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  const int event = (int)must(eventfd(0, EFD_CLOEXEC), "eventfd");
  watch(poll, event, 0x123456789abcdef0);
  const uint64_t sent = 0x100000002;
  must(write(event, &sent, sizeof sent), "write to an eventfd");
  expect_event(poll, 0x123456789abcdef0, "an eventfd");
  uint64_t got = 0;
  must(read(event, &got, sizeof got), "read of an eventfd");
  if (got != sent) broken("an eventfd gave another number than was written");
  const int timer = (int)must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
  watch(poll, timer, 2);
  const struct itimerspec soon = {{0, 0}, {0, 10000000}};
  must(timerfd_settime(timer, 0, &soon, NULL), "timerfd_settime");
  expect_event(poll, 2, "a timerfd");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  must(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
  const int signals = (int)must(signalfd(-1, &set, SFD_CLOEXEC), "signalfd");
  watch(poll, signals, 3);
  must(kill(getpid(), SIGUSR1), "kill");
  expect_event(poll, 3, "a signalfd");
  struct signalfd_siginfo information;
  must(read(signals, &information, sizeof information), "read of a signalfd");
  if (information.ssi_signo != SIGUSR1) broken("a signalfd gave signal %u", information.ssi_signo);
}
