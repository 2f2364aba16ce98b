// Processes, as make and shells start and await them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deep.h"

extern char** environ;

void check_fork(void) {
  enum { children = 20 };
  atomic_int* const shared =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) broken("mmap of shared memory: %s", strerror(errno));
  int own = 1;
  int* volatile const copy = &own;
  pid_t pids[children];
  for (int n = 0; n < children; ++n) {
    pids[n] = (pid_t)must(fork(), "fork");
    if (pids[n] == 0) {
      *copy += n;
      atomic_fetch_add(shared, 1);
      _exit(getppid() == 1 ? 99 : n);
    }
  }
  for (int n = 0; n < children; ++n) {
    const int status = exit_status_of(pids[n], "a child");
    if (status != n) broken("a child's exit status is %d, not %d", status, n);
  }
  if (own != 1) broken("a child changed its parent's memory");
  if (atomic_load(shared) != children) broken("shared memory is not shared with children");
  if (wait(NULL) != -1 || errno != ECHILD) broken("there is a child that nobody started");
}

static atomic_bool stop;

static void* allocate_for_ever(void* unused) {
  (void)unused;
  while (!atomic_load(&stop)) {
    void* volatile memory = malloc(1000);
    free(memory);
  }
  return NULL;
}

// A lock that a thread held at the time of fork must not be held for ever in the child.
void check_fork_threads(void) {
  enum { threads = 3, forks = 8 };
  pthread_t thread[threads];
  for (int n = 0; n < threads; ++n) {
    if (pthread_create(&thread[n], NULL, allocate_for_ever, NULL) != 0) broken("pthread_create");
  }
  for (int n = 0; n < forks; ++n) {
    const pid_t pid = (pid_t)must(fork(), "fork");
    if (pid == 0) {
      void* volatile memory = malloc(5000);
      _exit(memory == NULL ? 9 : 0);
    }
    expect_success(pid, "a child of a process with threads");
  }
  atomic_store(&stop, true);
  for (int n = 0; n < threads; ++n) pthread_join(thread[n], NULL);
}

void check_vfork(void) {
  for (int n = 0; n < 5; ++n) {
    const pid_t pid = vfork();
    if (pid == 0) {
      execl(program_path, "deep", "@exit", "23", (char*)NULL);
      _exit(9);
    }
    must(pid, "vfork");
    const int status = exit_status_of(pid, "a program started with vfork");
    if (status != 23) broken("a program started with vfork ended with status %d, not 23", status);
  }
}

void check_spawn(void) {
  int ends[2];
  must(pipe2(ends, O_CLOEXEC), "pipe2");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 5);
  char* arguments[] = {"deep", "@say", "5", "spawned", NULL};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program_path, &actions, NULL, arguments, environ);
  if (error != 0) broken("posix_spawn: %s", strerror(error));
  close(ends[1]);
  char text[16] = "";
  must(read(ends[0], text, sizeof text - 1), "read");
  if (strcmp(text, "spawned") != 0) broken("a spawned program wrote \"%s\"", text);
  expect_success(pid, "a spawned program");
}

void check_spawn_error(void) {
  char* arguments[] = {"nothing", NULL};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/nonexistent/program", NULL, NULL, arguments, environ);
  if (error == ENOENT) return;
  if (error != 0) broken("posix_spawn of a missing program: %s", strerror(error));
  const int status = exit_status_of(pid, "a program that does not exist");
  if (status != 127) broken("posix_spawn of a missing program: status %d, not 127", status);
  not_supported("posix_spawn of a missing program succeeds and ends with status 127");
}

static volatile sig_atomic_t child_signals, child_status, child_code, child_pid;

static void on_child(int number, siginfo_t* information, void* context) {
  (void)number;
  (void)context;
  ++child_signals;
  child_status = information->si_status;
  child_code = information->si_code;
  child_pid = information->si_pid;
}

void check_sigchld(void) {
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  must(sigaction(SIGCHLD, &action, NULL), "sigaction");
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  must(sigprocmask(SIG_BLOCK, &blocked, &before), "sigprocmask");
  const pid_t pid = (pid_t)must(fork(), "fork");
  if (pid == 0) _exit(42);
  while (child_signals == 0) sigsuspend(&before);
  if (child_code != CLD_EXITED || child_status != 42 || child_pid != pid) {
    broken("SIGCHLD came with code %d, status %d and process %d, not %d, 42 and %d",
           (int)child_code, (int)child_status, (int)child_pid, CLD_EXITED, (int)pid);
  }
  siginfo_t information = {.si_pid = 0};
  must(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT), "waitid");
  if (information.si_status != 42) broken("waitid gave status %d", information.si_status);
  if (exit_status_of(pid, "the child") != 42) broken("waitpid gave another status than waitid");
}

void check_job_control(void) {
  int status = 0;
  const pid_t pid = (pid_t)must(fork(), "fork");
  if (pid == 0) {
    if (setsid() < 0 || getpgrp() != getpid()) broken("setsid: %s", strerror(errno));
    raise(SIGSTOP);
    _exit(17);
  }
  must(waitpid(pid, &status, WUNTRACED), "waitpid");
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
    broken("a stopped child gave status %#x", (unsigned)status);
  }
  must(kill(-pid, SIGCONT), "kill of a process group");
  if (exit_status_of(pid, "a continued child") != 17) broken("a continued child ended badly");
  const pid_t other = (pid_t)must(fork(), "fork");
  if (other == 0) {
    pause();
    _exit(1);
  }
  must(kill(other, SIGTERM), "kill");
  must(waitpid(other, &status, 0), "waitpid");
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM) {
    broken("a child that SIGTERM ended gave status %#x", (unsigned)status);
  }
}
