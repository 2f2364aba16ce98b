// Signals: delivered with what belongs to them, in the right order, on the right stack.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "deep.h"

static void handle(int number, void (*function)(int, siginfo_t*, void*), int flags) {
  struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO | flags};
  sigemptyset(&action.sa_mask);
  must(sigaction(number, &action, NULL), "sigaction");
}

static siginfo_t last;
static volatile sig_atomic_t arrivals;

static void remember(int number, siginfo_t* information, void* context) {
  (void)number;
  (void)context;
  last = *information;
  ++arrivals;
}

void check_signals(void) {
  handle(SIGUSR1, remember, 0);
  handle(SIGRTMIN + 2, remember, 0);
  must(kill(getpid(), SIGUSR1), "kill");
  if (arrivals != 1 || last.si_signo != SIGUSR1 || last.si_code != SI_USER) {
    broken("a signal arrived %d times, as number %d, code %d", (int)arrivals, last.si_signo,
           last.si_code);
  }
  if (last.si_pid != getpid() || last.si_uid != getuid()) {
    broken("a signal came from process %d of user %d", (int)last.si_pid, (int)last.si_uid);
  }
  must(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 4711}), "sigqueue");
  if (arrivals != 2 || last.si_code != SI_QUEUE || last.si_value.sival_int != 4711) {
    broken("a queued signal came with code %d and value %d", last.si_code, last.si_value.sival_int);
  }
  must(signal(SIGUSR2, SIG_IGN) == SIG_ERR ? -1 : 0, "signal");
  raise(SIGUSR2);
  handle(SIGUSR1, remember, (int)SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction now;
  must(sigaction(SIGUSR1, NULL, &now), "sigaction");
  if (now.sa_handler != SIG_DFL) broken("SA_RESETHAND did not reset the handler");
}

static char order[16];
static volatile sig_atomic_t steps;

static void inner(int number, siginfo_t* information, void* context) {
  (void)number;
  (void)information;
  (void)context;
  order[steps++] = 'i';
}

static void outer(int number, siginfo_t* information, void* context) {
  (void)number;
  (void)information;
  (void)context;
  order[steps++] = '(';
  raise(SIGUSR2);
  raise(SIGUSR1);  // blocked while its own handler runs: comes afterwards
  order[steps++] = ')';
  if (steps > 6) handle(SIGUSR1, inner, 0);
}

void check_signals_nested(void) {
  handle(SIGUSR1, outer, 0);
  handle(SIGUSR2, inner, 0);
  raise(SIGUSR1);
  if (strcmp(order, "(i)(i)(i)i") != 0) broken("handlers ran in the order %s", order);
}

void check_signals_masked(void) {
  sigset_t set, pending, before;
  handle(SIGUSR1, remember, 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 3);
  must(sigprocmask(SIG_BLOCK, &set, &before), "sigprocmask");
  raise(SIGUSR1);
  must(sigpending(&pending), "sigpending");
  if (arrivals != 0 || sigismember(&pending, SIGUSR1) != 1)
    broken("a blocked signal is not pending");
  for (int n = 0; n < 3; ++n) {
    must(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = n}), "sigqueue");
  }
  sigdelset(&set, SIGUSR1);
  for (int n = 0; n < 3; ++n) {
    siginfo_t information;
    const struct timespec limit = {5, 0};
    must(sigtimedwait(&set, &information, &limit), "sigtimedwait");
    if (information.si_value.sival_int != n) broken("queued signals come in the wrong order");
  }
  must(sigprocmask(SIG_SETMASK, &before, NULL), "sigprocmask");
  if (arrivals != 1) broken("a signal that was unblocked arrived %d times", (int)arrivals);
}

static pthread_t handled_by;
static atomic_int ready, done;

static void remember_thread(int number, siginfo_t* information, void* context) {
  (void)number;
  (void)information;
  (void)context;
  handled_by = pthread_self();
  atomic_store(&done, 1);
}

static void* wait_for_signal(void* unused) {
  atomic_store(&ready, 1);
  while (atomic_load(&done) == 0) sleep_milliseconds(1);
  return unused;
}

void check_signals_thread(void) {
  pthread_t thread;
  handle(SIGUSR1, remember_thread, 0);
  if (pthread_create(&thread, NULL, wait_for_signal, NULL) != 0) broken("pthread_create");
  while (atomic_load(&ready) == 0) sleep_milliseconds(1);
  if (pthread_kill(thread, SIGUSR1) != 0) broken("pthread_kill");
  pthread_join(thread, NULL);
  if (!pthread_equal(handled_by, thread)) broken("a thread's signal was handled by another thread");
}

static sigjmp_buf back;
static char* alternate;
static const size_t alternate_size = 128 * 1024;
static volatile int is_on_alternate;

static void on_overflow(int number, siginfo_t* information, void* context) {
  (void)number;
  (void)information;
  (void)context;
  char here;
  char* volatile address = &here;
  is_on_alternate = address >= alternate && address < alternate + alternate_size;
  siglongjmp(back, 1);
}

static volatile int depth, limit = 1 << 30;

// Not optimised to a loop: the result of the call is used after it.
static int overflow(const char* above) {
  volatile char frame[4096];
  frame[0] = above != NULL ? *above : 1;
  if (++depth == limit) return 0;
  return overflow((const char*)frame) + frame[0];
}

// As runtimes do that report a stack overflow of the program's.
void check_sigaltstack(void) {
  alternate = malloc(alternate_size);
  const stack_t stack = {.ss_sp = alternate, .ss_size = alternate_size};
  must(sigaltstack(&stack, NULL), "sigaltstack");
  handle(SIGSEGV, on_overflow, SA_ONSTACK);
  handle(SIGBUS, on_overflow, SA_ONSTACK);
  for (int n = 0; n < 2; ++n) {  // the second time shows that the first was left in order
    is_on_alternate = 0;
    if (sigsetjmp(back, 1) == 0) overflow(NULL);
    if (!is_on_alternate) broken("the handler of a stack overflow ran on the overflown stack");
  }
  if (depth < 100) broken("the stack overflowed after %d frames of 4 KiB", depth);
}

// Sends SIGUSR1 to its parent again and again, then writes a byte where it is to.
static pid_t start_interrupter(int signals, int fd) {
  const pid_t pid = (pid_t)must(fork(), "fork");
  if (pid != 0) return pid;
  for (int n = 0; n < signals; ++n) {
    sleep_milliseconds(20);
    kill(getppid(), SIGUSR1);
  }
  sleep_milliseconds(20);
  _exit(write(fd, "x", 1) == 1 ? 0 : 9);
}

void check_restart(void) {
  int ends[2];
  char byte = 0;
  must(pipe2(ends, O_CLOEXEC), "pipe2");
  handle(SIGUSR1, remember, SA_RESTART);
  pid_t pid = start_interrupter(5, ends[1]);
  if (read(ends[0], &byte, 1) != 1) broken("a read was not restarted: %s", strerror(errno));
  expect_success(pid, "the child");
  if (arrivals == 0) broken("no signal arrived");
  handle(SIGUSR1, remember, 0);
  pid = start_interrupter(50, ends[1]);
  if (read(ends[0], &byte, 1) != -1 || errno != EINTR) broken("a read was not interrupted");
  kill(pid, SIGKILL);
}

void check_timers(void) {
  handle(SIGALRM, remember, 0);
  const struct itimerval interval = {{0, 10000}, {0, 10000}};
  must(setitimer(ITIMER_REAL, &interval, NULL), "setitimer");
  while (arrivals < 3) pause();
  must(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL), "setitimer");
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  event.sigev_value.sival_int = 77;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  must(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
  must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
  must(timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 10000000}}, NULL), "timer_settime");
  siginfo_t information;
  const struct timespec limit = {5, 0};
  must(sigtimedwait(&set, &information, &limit), "sigtimedwait");
  if (information.si_code != SI_TIMER) broken("a timer's signal has code %d", information.si_code);
}
