#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deep.h"

struct check {
  const char* name;
  void (*run)(void);
};

static const struct check checks[] = {{"brk", check_brk},
                                      {"mmap", check_mmap},
                                      {"faults", check_faults},
                                      {"generated-code", check_generated_code},
                                      {"stack", check_stack},
                                      {"fork", check_fork},
                                      {"fork-threads", check_fork_threads},
                                      {"vfork", check_vfork},
                                      {"spawn", check_spawn},
                                      {"spawn-error", check_spawn_error},
                                      {"sigchld", check_sigchld},
                                      {"job-control", check_job_control},
                                      {"exec", check_exec},
                                      {"argv0", check_argv0},
                                      {"shebang", check_shebang},
                                      {"self-exe", check_self_exe},
                                      {"exec-self", check_exec_self},
                                      {"threads", check_threads},
                                      {"thread-churn", check_thread_churn},
                                      {"thread-stack", check_thread_stack},
                                      {"thread-cancel", check_thread_cancel},
                                      {"robust-mutex", check_robust_mutex},
                                      {"shared-mutex", check_shared_mutex},
                                      {"signals", check_signals},
                                      {"signals-nested", check_signals_nested},
                                      {"signals-masked", check_signals_masked},
                                      {"signals-thread", check_signals_thread},
                                      {"sigaltstack", check_sigaltstack},
                                      {"restart", check_restart},
                                      {"timers", check_timers},
                                      {"large-files", check_large_files},
                                      {"readdir", check_readdir},
                                      {"stat", check_stat},
                                      {"statx", check_statx},
                                      {"locks", check_locks},
                                      {"file-mmap", check_file_mmap},
                                      {"file-copy", check_file_copy},
                                      {"pipes", check_pipes},
                                      {"sockets", check_sockets},
                                      {"events", check_events},
                                      {"random", check_random},
                                      {"clock", check_clock},
                                      {"uname", check_uname},
                                      {"auxv", check_auxv},
                                      {"proc-self", check_proc_self}};

const char* program_path = "";

// Not through stdio: a child must not print what its parent has buffered.
static void say(const char* format, va_list arguments) {
  char line[512];
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  if (length < 0) length = 0;
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)length) < 0) _exit(CHECK_BROKEN);
}

void broken(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
  _exit(CHECK_BROKEN);
}

void not_supported(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
  _exit(CHECK_NOT_SUPPORTED);
}

long must(long result, const char* call) {
  if (result == -1) broken("%s: %s", call, strerror(errno));
  return result;
}

int exit_status_of(int pid, const char* what) {
  int status = 0;
  pid_t ended;
  do {
    ended = waitpid(pid, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended != pid) broken("%s: waitpid gave %d for %d: %s", what, ended, pid, strerror(errno));
  if (WIFSIGNALED(status)) broken("%s was ended by signal %d", what, WTERMSIG(status));
  if (!WIFEXITED(status)) broken("%s: waitpid gave the odd status %#x", what, (unsigned)status);
  return WEXITSTATUS(status);
}

void expect_success(int pid, const char* what) {
  const int status = exit_status_of(pid, what);
  if (status == CHECK_BROKEN || status == CHECK_NOT_SUPPORTED) _exit(status);
  if (status != 0) broken("%s ended with status %d", what, status);
}

void sleep_milliseconds(long milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

int main(int argc, char** argv) {
  if (argc > 1 && argv[1][0] == '@') return run_helper(argc, argv);
  const size_t count = sizeof checks / sizeof *checks;
  if (argc == 1) {
    for (size_t n = 0; n < count; ++n) puts(checks[n].name);
    return 0;
  }
  if (argc == 3) program_path = argv[2];
  for (size_t n = 0; n < count; ++n) {
    if (strcmp(checks[n].name, argv[1]) != 0) continue;
    checks[n].run();
    return 0;
  }
  not_supported("this program has no check of that name");
}
