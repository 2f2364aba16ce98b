// What programs ask the system about itself and about themselves.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "deep.h"

void check_random(void) {
  unsigned char one[64], other[64];
  if (getrandom(one, sizeof one, 0) != (ssize_t)sizeof one) {
    if (errno == ENOSYS) not_supported("getrandom is not there");
    broken("getrandom: %s", strerror(errno));
  }
  const int file = (int)must(open("/dev/urandom", O_RDONLY | O_CLOEXEC), "open /dev/urandom");
  must(read(file, other, sizeof other), "read /dev/urandom");
  if (memcmp(one, other, sizeof one) == 0) broken("random numbers repeat");
}

static int64_t nanoseconds(clockid_t clock) {
  struct timespec now;
  must(clock_gettime(clock, &now), "clock_gettime");
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void check_clock(void) {
  const int64_t begin = nanoseconds(CLOCK_MONOTONIC);
  const int64_t date = nanoseconds(CLOCK_REALTIME) / 1000000000;
  if (llabs(date - (int64_t)time(NULL)) > 1) broken("time and clock_gettime differ");
  sleep_milliseconds(20);
  int64_t last = nanoseconds(CLOCK_MONOTONIC);
  if (last - begin < 20000000) broken("a sleep of 20 ms took %lld ns", (long long)(last - begin));
  for (int n = 0; n < 1000; ++n) {
    const int64_t now = nanoseconds(CLOCK_MONOTONIC);
    if (now < last) broken("the monotonic clock went back");
    last = now;
  }
  if (nanoseconds(CLOCK_PROCESS_CPUTIME_ID) <= 0) broken("no processor time was used");
}

// How uname calls the machine that this program was compiled for; empty: not known here.
static const char* const machine =
#if defined __aarch64__
    "aarch64";
#elif defined __arm__
    "arm";
#elif defined __riscv
    "riscv";
#elif defined __s390x__
    "s390x";
#elif defined __powerpc__
    "ppc";
#elif defined __mips__
    "mips";
#elif defined __x86_64__
    "x86_64";
#elif defined __loongarch__
    "loongarch";
#else
    "";
#endif

void check_uname(void) {
  struct utsname name;
  int major = 0, minor = -1;
  must(uname(&name), "uname");
  if (strcmp(name.sysname, "Linux") != 0) broken("uname calls the system %s", name.sysname);
  if (sscanf(name.release, "%d.%d", &major, &minor) != 2) broken("the release is %s", name.release);
  if (strncmp(name.machine, machine, strlen(machine)) != 0) {
    broken("uname calls the machine %s, not %s", name.machine, machine);
  }
}

void check_auxv(void) {
  const unsigned long page = getauxval(AT_PAGESZ);
  if (page < 4096 || (page & (page - 1)) != 0) broken("AT_PAGESZ is %lu", page);
  if (getauxval(AT_RANDOM) == 0) broken("AT_RANDOM is missing");
  if (getauxval(AT_UID) != getuid() || getauxval(AT_EUID) != geteuid()) broken("AT_UID is wrong");
  if (getauxval(AT_SECURE) != 0) broken("AT_SECURE is set for an ordinary program");
  if (getauxval(AT_PHNUM) == 0 || getauxval(AT_ENTRY) == 0)
    broken("AT_PHNUM or AT_ENTRY is missing");
  const char* const name = (const char*)getauxval(AT_EXECFN);
  if (name == NULL) not_supported("AT_EXECFN is missing");
  if (strcmp(name, program_path) != 0) broken("AT_EXECFN is %.300s", name);
}

// As stack scanners (Boehm's collector, glibc's pthread_getattr_np) read it.
static void find_in_maps(const void* address, const char* what) {
  char line[1024];
  FILE* const file = fopen("/proc/self/maps", "re");
  if (file == NULL) broken("open /proc/self/maps: %s", strerror(errno));
  while (fgets(line, sizeof line, file) != NULL) {
    unsigned long long begin = 0, end = 0;
    if (sscanf(line, "%llx-%llx", &begin, &end) != 2)
      broken("/proc/self/maps has the line %s", line);
    if ((uintptr_t)address >= begin && (uintptr_t)address < end) {
      fclose(file);
      return;
    }
  }
  broken("/proc/self/maps does not show %s", what);
}

void check_proc_self(void) {
  static const int constant = 1;
  int variable = 0;
  find_in_maps(&constant, "the program");
  find_in_maps(&variable, "the stack");
  char text[4096] = "";
  const int file = (int)must(open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC), "open cmdline");
  const ssize_t length = must(read(file, text, sizeof text - 1), "read cmdline");
  if (length <= 0 || strcmp(text + strlen(text) + 1, "proc-self") != 0) {
    broken("/proc/self/cmdline shows other arguments");
  }
  FILE* const status = fopen("/proc/self/stat", "re");
  int pid = 0;
  if (status == NULL || fscanf(status, "%d", &pid) != 1) broken("/proc/self/stat cannot be read");
  if (pid != getpid()) broken("/proc/self/stat is of process %d, not %d", pid, (int)getpid());
  char path[PATH_MAX] = "";
  char own[PATH_MAX] = "";
  const int directory = (int)must(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open");
  snprintf(text, sizeof text, "/proc/self/fd/%d", directory);
  must(readlink(text, path, sizeof path - 1), "readlink /proc/self/fd");
  if (getcwd(own, sizeof own) == NULL) broken("getcwd: %s", strerror(errno));
  if (strcmp(path, own) != 0) broken("/proc/self/fd shows %.200s for %.200s", path, own);
}
