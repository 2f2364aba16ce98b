// Prints who runs this program, where and with what: "name value" lines for a test to compare with
// the caller's own.
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The line of /proc/self/status that begins with `field`.
static void print_status(const char* field) {
  char line[1024];
  FILE* file = fopen("/proc/self/status", "r");
  if (file == NULL) exit(1);
  while (fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, field, strlen(field)) == 0) fputs(line, stdout);
  }
  fclose(file);
}

int main(int argc, char** argv) {
  gid_t groups[64];
  char directory[4096];
  const int count = getgroups(64, groups);
  const mode_t mask = umask(0);
  if (count < 0 || getcwd(directory, sizeof directory) == NULL) return 1;
  printf("uid %u %u\n", (unsigned)getuid(), (unsigned)geteuid());
  printf("gid %u %u\n", (unsigned)getgid(), (unsigned)getegid());
  printf("groups");
  for (int i = 0; i < count; i++) printf(" %u", (unsigned)groups[i]);
  printf("\numask %03o\ncwd %s\n", (unsigned)mask, directory);
  for (int i = 0; i < argc; i++) printf("argument %s\n", argv[i]);
  print_status("Cap");
  return 0;
}
