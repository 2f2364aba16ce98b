// Threads and what holds them together.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "deep.h"

enum { many = 48, rounds = 500 };

static pthread_t start(void* (*function)(void*), void* argument, size_t stack) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack);
  const int error = pthread_create(&thread, &attributes, function, argument);
  if (error != 0) broken("pthread_create: %s", strerror(error));
  pthread_attr_destroy(&attributes);
  return thread;
}

static void* join(pthread_t thread) {
  void* result = NULL;
  const int error = pthread_join(thread, &result);
  if (error != 0) broken("pthread_join: %s", strerror(error));
  return result;
}

static atomic_long atomic_count;
static long locked_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_started = PTHREAD_COND_INITIALIZER;
static int started;
static _Thread_local intptr_t own_number;

static void* count(void* number) {
  own_number = (intptr_t)number;
  pthread_mutex_lock(&lock);
  if (++started == many) pthread_cond_broadcast(&all_started);
  while (started < many) pthread_cond_wait(&all_started, &lock);
  pthread_mutex_unlock(&lock);
  for (int n = 0; n < rounds; ++n) {
    atomic_fetch_add(&atomic_count, 1);
    pthread_mutex_lock(&lock);
    ++locked_count;
    pthread_mutex_unlock(&lock);
  }
  return (void*)own_number;
}

void check_threads(void) {
  pthread_t threads[many];
  for (intptr_t n = 0; n < many; ++n) threads[n] = start(count, (void*)n, 256 * 1024);
  for (intptr_t n = 0; n < many; ++n) {
    if (join(threads[n]) != (void*)n) broken("a thread-local variable has another thread's value");
  }
  if (atomic_count != many * rounds) {
    broken("%d atomic additions made %ld", many * rounds, (long)atomic_count);
  }
  if (locked_count != many * rounds) {
    broken("%d additions under a lock made %ld", many * rounds, locked_count);
  }
}

static void* nothing(void* argument) {
  return argument;
}

void check_thread_churn(void) {
  for (intptr_t n = 0; n < 150; ++n) {
    if (join(start(nothing, (void*)n, 128 * 1024)) != (void*)n)
      broken("a thread's result was lost");
  }
}

static void* use_stack(void* size) {
  volatile char memory[24 << 20];
  memory[0] = 1;
  for (size_t at = 0; at < sizeof memory; at += 4096) memory[at] = (char)(at >> 12);
  for (size_t at = 0; at < sizeof memory; at += 4096) {
    if (memory[at] != (char)(at >> 12)) return NULL;
  }
  return size;
}

void check_thread_stack(void) {
  void* const size = (void*)(uintptr_t)(32 << 20);
  if (join(start(use_stack, size, 32 << 20)) != size) broken("a large stack lost its contents");
}

static atomic_int cleaned;

static void clean(void* unused) {
  (void)unused;
  atomic_fetch_add(&cleaned, 1);
}

static void* wait_for_ever(void* unused) {
  pthread_cleanup_push(clean, NULL);
  for (;;) pause();
  pthread_cleanup_pop(0);
  return unused;
}

void check_thread_cancel(void) {
  for (int n = 0; n < 10; ++n) {
    const pthread_t thread = start(wait_for_ever, NULL, 128 * 1024);
    pthread_cancel(thread);
    if (join(thread) != PTHREAD_CANCELED) broken("a cancelled thread ended in another way");
  }
  // One that was cancelled before it ran has nothing to clean up.
  if (cleaned > 10) broken("10 cancelled threads cleaned up %d times", (int)cleaned);
}

static void* lock_and_die(void* mutex) {
  pthread_mutex_lock(mutex);
  return NULL;
}

void check_robust_mutex(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_t mutex;
  const int error = pthread_mutex_init(&mutex, &attributes);
  if (error == ENOTSUP) not_supported("set_robust_list is not there");
  if (error != 0) broken("pthread_mutex_init: %s", strerror(error));
  join(start(lock_and_die, &mutex, 128 * 1024));
  struct timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += 1;
  const int result = pthread_mutex_timedlock(&mutex, &limit);
  if (result == ETIMEDOUT) not_supported("a robust mutex stays locked when its owner dies");
  if (result != EOWNERDEAD) broken("a mutex of a dead owner: %s", strerror(result));
}

struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  int turn;
};

static void take_turns(struct shared* shared, int mine) {
  for (int n = 0; n < 100; ++n) {
    pthread_mutex_lock(&shared->mutex);
    while (shared->turn % 2 != mine) pthread_cond_wait(&shared->condition, &shared->mutex);
    ++shared->turn;
    pthread_cond_broadcast(&shared->condition);
    pthread_mutex_unlock(&shared->mutex);
  }
}

// Two processes that wait for one another on a futex in shared memory.
void check_shared_mutex(void) {
  struct shared* const shared =
      mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) broken("mmap of shared memory: %s", strerror(errno));
  pthread_mutexattr_t mutex;
  pthread_mutexattr_init(&mutex);
  pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &mutex);
  pthread_condattr_t condition;
  pthread_condattr_init(&condition);
  pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->condition, &condition);
  const pid_t pid = (pid_t)must(fork(), "fork");
  if (pid == 0) {
    take_turns(shared, 1);
    _exit(0);
  }
  take_turns(shared, 0);
  expect_success(pid, "the other process");
  if (shared->turn != 200) broken("two processes took %d turns, not 200", shared->turn);
}
