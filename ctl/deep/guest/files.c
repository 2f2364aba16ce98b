// Files and directories.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deep.h"

static int create(const char* name) {
  return (int)must(open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644), "open");
}

static void put(int file, const char* text, off_t at) {
  const ssize_t length = (ssize_t)strlen(text);
  if (pwrite(file, text, (size_t)length, at) == length) return;
  if (errno == EFBIG || errno == ENOSPC || errno == EDQUOT) {
    not_supported("a file may not be that large here: %s", strerror(errno));
  }
  broken("pwrite at %lld: %s", (long long)at, strerror(errno));
}

void check_large_files(void) {
  const off_t far = (off_t)5 << 30;
  char text[8] = "";
  signal(SIGXFSZ, SIG_IGN);
  const int file = create("large");
  put(file, "far", far);
  put(file, "near", far & 0xffffffff);
  if (lseek(file, far, SEEK_SET) != far) broken("lseek to 5 GiB: %s", strerror(errno));
  must(read(file, text, 3), "read");
  if (strcmp(text, "far") != 0) broken("\"%s\" is at 5 GiB", text);
  struct stat status;
  must(fstat(file, &status), "fstat");
  if (status.st_size != far + 3) broken("the size is %lld", (long long)status.st_size);
  if (lseek(file, -3, SEEK_END) != far) broken("lseek from the end went elsewhere");
  must(ftruncate(file, far - 1), "ftruncate");
  must(fstat(file, &status), "fstat");
  if (status.st_size != far - 1) broken("ftruncate made the size %lld", (long long)status.st_size);
}

void check_readdir(void) {
  enum { count = 400 };
  char name[32];
  char seen[count] = {0};
  for (int n = 0; n < count; ++n) {
    snprintf(name, sizeof name, "file-%d", n);
    close(create(name));
  }
  DIR* const directory = opendir(".");
  if (directory == NULL) broken("opendir: %s", strerror(errno));
  long place = 0;
  char behind[256] = "";
  errno = 0;
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    int n = -1;
    if (sscanf(entry->d_name, "file-%d", &n) == 1 && n >= 0 && n < count) ++seen[n];
    if (place != 0 && behind[0] == '\0') strcpy(behind, entry->d_name);
    if (n == 200) place = telldir(directory);
    if (n != 7) continue;
    struct stat status;
    must(lstat(entry->d_name, &status), "lstat");
    if (status.st_ino != entry->d_ino) broken("readdir gave another inode than lstat");
    if (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN) broken("a file has a wrong type");
  }
  if (errno != 0) broken("readdir: %s", strerror(errno));
  for (int n = 0; n < count; ++n) {
    if (seen[n] != 1) broken("readdir gave file-%d %d times", n, seen[n]);
  }
  seekdir(directory, place);
  const struct dirent* const next = readdir(directory);
  if (strcmp(next == NULL ? "" : next->d_name, behind) != 0) broken("seekdir went elsewhere");
}

void check_stat(void) {
  struct stat status;
  const int file = create("file");
  put(file, "12345", 0);
  const struct timespec times[2] = {{1000000000, 123456789}, {1500000000, 987654321}};
  must(futimens(file, times), "futimens");
  must(fchmod(file, 0640), "fchmod");
  must(link("file", "other"), "link");
  must(stat("other", &status), "stat");
  if (!S_ISREG(status.st_mode) || (status.st_mode & 07777) != 0640) {
    broken("the mode is %o", (unsigned)status.st_mode);
  }
  if (status.st_size != 5 || status.st_nlink != 2 || status.st_uid != geteuid()) {
    broken("size %lld, %d links, user %d", (long long)status.st_size, (int)status.st_nlink,
           (int)status.st_uid);
  }
  // Some file systems count in coarser steps.
  if (status.st_mtim.tv_sec != 1500000000)
    broken("the time is %lld", (long long)status.st_mtim.tv_sec);
  must(symlink("file", "link"), "symlink");
  must(lstat("link", &status), "lstat");
  if (!S_ISLNK(status.st_mode)) broken("lstat followed a link");
  must(rename("other", "renamed"), "rename");
  if (access("other", F_OK) == 0 || errno != ENOENT) broken("a renamed file is still there");
  must(mkdir("directory", 0755), "mkdir");
  if (rename("renamed", "directory") == 0 || errno != EISDIR) broken("a file replaced a directory");
  if (open("link", O_RDONLY | O_NOFOLLOW | O_CLOEXEC) >= 0 || errno != ELOOP) {
    broken("O_NOFOLLOW followed a link");
  }
}

void check_statx(void) {
  struct statx wide;
  struct stat status;
  put(create("file"), "123", 0);
  if (statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &wide) != 0) {
    if (errno == ENOSYS) not_supported("statx is not there");
    broken("statx: %s", strerror(errno));
  }
  must(stat("file", &status), "stat");
  if (wide.stx_size != 3 || wide.stx_ino != status.st_ino || wide.stx_mode != status.st_mode ||
      wide.stx_mtime.tv_sec != status.st_mtim.tv_sec) {
    broken("statx and stat differ");
  }
}

void check_locks(void) {
  const int file = create("lock");
  must(flock(file, LOCK_EX), "flock");
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  must(fcntl(file, F_SETLK, &range), "fcntl F_SETLK");
  const pid_t pid = (pid_t)must(fork(), "fork");
  if (pid == 0) {
    const int other = (int)must(open("lock", O_RDWR | O_CLOEXEC), "open");
    if (flock(other, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
      broken("two processes have the same flock");
    }
    struct flock wanted = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 12, .l_len = 1};
    must(fcntl(other, F_GETLK, &wanted), "fcntl F_GETLK");
    if (wanted.l_type != F_WRLCK || wanted.l_start != 10 || wanted.l_pid != getppid()) {
      broken("a locked range is reported at %lld by process %d", (long long)wanted.l_start,
             (int)wanted.l_pid);
    }
    _exit(0);
  }
  expect_success(pid, "the child");
}

void check_file_mmap(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const int file = create("mapped");
  must(ftruncate(file, (off_t)(4 * page)), "ftruncate");
  char* const shared = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  char* const copy = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, (off_t)(2 * page));
  if (shared == MAP_FAILED || copy == MAP_FAILED) broken("mmap of a file: %s", strerror(errno));
  strcpy(shared + 2 * page, "shared");
  char text[8] = "";
  must(pread(file, text, 7, (off_t)(2 * page)), "pread");
  if (strcmp(text, "shared") != 0) broken("a shared mapping does not reach its file");
  if (strcmp(copy, "shared") != 0) broken("a private mapping at an offset shows other bytes");
  strcpy(copy, "own");
  if (strcmp(shared + 2 * page, "shared") != 0) broken("a private mapping reaches its file");
  put(file, "written", 0);
  if (memcmp(shared, "written", 7) != 0) broken("a shared mapping does not show what was written");
  must(msync(shared, 4 * page, MS_SYNC), "msync");
}

void check_file_copy(void) {
  static char data[200000], back[200000];
  for (size_t n = 0; n < sizeof data; ++n) data[n] = (char)(n * 31 >> 3);
  const int from = create("from");
  if (write(from, data, sizeof data) != (ssize_t)sizeof data) broken("write: %s", strerror(errno));
  const int to = create("to");
  off_t at = 0;
  while (at < (off_t)sizeof data) {
    if (must(sendfile(to, from, &at, sizeof data), "sendfile") == 0) broken("sendfile ended early");
  }
  if (pread(to, back, sizeof back, 0) != (ssize_t)sizeof back ||
      memcmp(data, back, sizeof data) != 0) {
    broken("sendfile copied other bytes");
  }
  off_t read_at = 1, write_at = 0;
  const ssize_t count = copy_file_range(from, &read_at, to, &write_at, 1000, 0);
  if (count < 0 && (errno == ENOSYS || errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP)) {
    not_supported("copy_file_range: %s", strerror(errno));
  }
  must(count, "copy_file_range");
  if (pread(to, back, (size_t)count, 0) != count || memcmp(data + 1, back, (size_t)count) != 0) {
    broken("copy_file_range copied other bytes");
  }
}
