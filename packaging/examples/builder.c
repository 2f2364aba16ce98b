// The builder of hello.nix: writes the machine it runs on, as the kernel names it, to $out. It is
// compiled for aarch64 and statically, so it needs nothing of the build's root directory and runs
// nowhere else.
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

int main(void) {
  const char* out = getenv("out");
  struct utsname name;
  if (out == NULL || uname(&name) != 0) return 1;
  FILE* file = fopen(out, "w");
  if (file == NULL) return 1;
  fprintf(file, "%s\n", name.machine);
  return fclose(file) == 0 ? 0 : 1;
}
