// Programs that start programs: execve(2), scripts, and who they think they are.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deep.h"

enum { report = 10 };  // where a started program writes; none of its parent's has that number

// All that a program writes to it, started as `file` with those arguments.
static size_t output_of(const char* file, char* const* arguments, char* text, size_t size) {
  int ends[2];
  must(pipe2(ends, O_CLOEXEC), "pipe2");
  const pid_t pid = (pid_t)must(fork(), "fork");
  if (pid == 0) {
    must(dup2(ends[1], report), "dup2");
    execv(file, arguments);
    if (errno == EACCES) not_supported("the temporary directory is mounted noexec");
    broken("execve of %s: %s", file, strerror(errno));
  }
  close(ends[1]);
  size_t length = 0;
  ssize_t count;
  while ((count = read(ends[0], text + length, size - 1 - length)) > 0) length += (size_t)count;
  must(count, "read");
  text[length] = '\0';
  close(ends[0]);
  expect_success(pid, file);
  return length;
}

void check_exec(void) {
  static char large[120000];  // below MAX_ARG_STRLEN, 128 KiB
  static char text[300000];
  memset(large, 'x', sizeof large - 1);
  must(setenv("DEEP_VARIABLE", large, 1), "setenv");
  char* arguments[] = {"deep", "@environment", large, "", "last", NULL};
  const int directory = (int)must(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open");
  must(fcntl(directory, F_DUPFD_CLOEXEC, 20), "fcntl");  // stays behind
  const size_t length = output_of(program_path, arguments, text, sizeof text);
  const size_t wanted = 2 * (sizeof large - 1) + strlen("||last|");
  if (strstr(text, "open") != NULL) broken("a close-on-exec descriptor stayed open");
  if (length != wanted) broken("a program got %zu bytes of arguments, not %zu", length, wanted);
}

void check_argv0(void) {
  char text[PATH_MAX];
  char* arguments[] = {"a name of its own", "@argv0", NULL};
  output_of(program_path, arguments, text, sizeof text);
  if (strcmp(text, "a name of its own") != 0) broken("argv[0] became \"%.300s\"", text);
  // As busybox and gcc's wrappers are called: by a link of another name.
  must(symlink(program_path, "link"), "symlink");
  char* linked[] = {"./link", "@argv0", NULL};
  output_of("./link", linked, text, sizeof text);
  if (strcmp(text, "./link") != 0) broken("argv[0] of a link became \"%.300s\"", text);
}

void check_shebang(void) {
  char text[PATH_MAX];
  // By a link: the name of an interpreter ends with the first space (binfmt_script.c).
  const char* script = "#!./interpreter @script\nnothing\n";
  must(symlink(program_path, "interpreter"), "symlink");
  const int file = (int)must(open("script", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755), "open");
  must(write(file, script, strlen(script)), "write");
  must(close(file), "close");
  char* arguments[] = {"any", "one", "two words", NULL};
  output_of("./script", arguments, text, sizeof text);
  if (strcmp(text, "./script|one|two words|") != 0) broken("a script got \"%.300s\"", text);
}

void check_self_exe(void) {
  char text[PATH_MAX] = "";
  must(readlink("/proc/self/exe", text, sizeof text - 1), "readlink /proc/self/exe");
  if (strcmp(text, program_path) != 0) broken("/proc/self/exe is %.300s", text);
  struct stat own, named;
  must(stat("/proc/self/exe", &own), "stat /proc/self/exe");
  must(stat(program_path, &named), "stat");
  if (own.st_ino != named.st_ino) not_supported("stat of /proc/self/exe finds the emulator");
  const int file = (int)must(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "open /proc/self/exe");
  must(fstat(file, &own), "fstat");
  if (own.st_ino != named.st_ino) broken("open of /proc/self/exe opens another file");
}

void check_exec_self(void) {
  char text[PATH_MAX];
  char* arguments[] = {"again", "@argv0", NULL};
  output_of("/proc/self/exe", arguments, text, sizeof text);
  if (strcmp(text, "again") != 0) broken("a program that executes /proc/self/exe got \"%s\"", text);
}

static int say(int fd, const char* text) {
  const size_t length = strlen(text);
  return write(fd, text, length) == (ssize_t)length ? 0 : 8;
}

int run_helper(int argc, char** argv) {
  const char* const verb = argv[1];
  if (strcmp(verb, "@exit") == 0) return atoi(argv[2]);
  if (strcmp(verb, "@say") == 0) return say(atoi(argv[2]), argv[3]);
  if (strcmp(verb, "@argv0") == 0) return say(report, argv[0]);
  int failed = 0;
  if (strcmp(verb, "@script") == 0 || strcmp(verb, "@environment") == 0) {
    for (int n = 2; n < argc; ++n) failed |= say(report, argv[n]) | say(report, "|");
  }
  if (strcmp(verb, "@environment") == 0) {
    const char* const variable = getenv("DEEP_VARIABLE");
    failed |= say(report, variable == NULL ? "" : variable);
    for (int fd = report + 1; fd < 32; ++fd) {
      if (fcntl(fd, F_GETFD) >= 0) failed |= say(report, "open");
    }
  }
  return failed;
}
