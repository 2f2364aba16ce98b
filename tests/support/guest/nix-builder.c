// nix-builder MODE [FILE]: the builder of the derivations that test_nix.py and test_kill.py build.
//   facts       writes to $out where and as whom it runs, "name value" lines
//   copy FILE   writes to $out the name of FILE and what is in it
//   tree        starts children that never end, one in a session of its own and deaf to SIGTERM;
//   prints
//               "building" and waits for ever
//   gate FILE   prints "building", waits until somebody has written to the FIFO, then does as facts
//   fail        ends with status 3
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static FILE* open_out(void) {
  const char* path = getenv("out");
  FILE* file = path == NULL ? NULL : fopen(path, "w");
  if (file == NULL) exit(4);
  return file;
}

// Prints the first word of each line behind the first two of /proc/net/dev: the network interfaces.
static void print_interfaces(FILE* out) {
  char line[512];
  FILE* file = fopen("/proc/net/dev", "r");
  if (file == NULL) exit(4);
  fputs("interfaces", out);
  for (int number = 0; fgets(line, sizeof line, file) != NULL; number++) {
    if (number >= 2) fprintf(out, " %s", strtok(line, " :"));
  }
  fputc('\n', out);
  fclose(file);
}

static int is_in_file(const char* path, const char* text) {
  char line[512];
  int found = 0;
  FILE* file = fopen(path, "r");
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file) != NULL) found |= strstr(line, text) != NULL;
  fclose(file);
  return found;
}

static int write_facts(void) {
  struct utsname name;
  char directory[4096];
  FILE* out = open_out();
  if (uname(&name) != 0 || getcwd(directory, sizeof directory) == NULL) return 4;
  fprintf(out, "machine %s\nuid %u\ndirectory %s\n", name.machine, (unsigned)getuid(), directory);
  fprintf(out, "passwd nixbld %d alice %d\n", is_in_file("/etc/passwd", "nixbld"),
          is_in_file("/etc/passwd", "alice"));
  fprintf(out, "shadow %d\n", access("/etc/shadow", F_OK) == 0);
  print_interfaces(out);
  return fclose(out) == 0 ? 0 : 4;
}

static int copy(const char* path) {
  char buffer[4096];
  size_t count;
  FILE* in = fopen(path, "r");
  FILE* out = open_out();
  if (in == NULL) return 4;
  fprintf(out, "%s\n", path);
  while ((count = fread(buffer, 1, sizeof buffer, in)) > 0) fwrite(buffer, 1, count, out);
  fclose(in);
  return fclose(out) == 0 ? 0 : 4;
}

static void say_building(void) {
  fputs("building\n", stderr);
  fflush(stderr);
}

static void grow_tree(void) {
  for (int i = 0; i < 3; i++) {
    if (fork() != 0) continue;
    if (i == 1) {
      setsid();
      signal(SIGTERM, SIG_IGN);
      signal(SIGHUP, SIG_IGN);
    }
    for (;;) pause();
  }
  say_building();
  for (;;) pause();
}

static int wait_at_gate(const char* path) {
  say_building();
  FILE* gate = fopen(path, "r");
  if (gate == NULL || fgetc(gate) == EOF) return 4;
  fclose(gate);
  return write_facts();
}

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "facts";
  if (strcmp(mode, "facts") == 0) return write_facts();
  if (strcmp(mode, "copy") == 0 && argc > 2) return copy(argv[2]);
  if (strcmp(mode, "tree") == 0) grow_tree();
  if (strcmp(mode, "gate") == 0 && argc > 2) return wait_at_gate(argv[2]);
  return strcmp(mode, "fail") == 0 ? 3 : 2;
}
