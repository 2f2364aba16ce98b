// Says hello and which machine it believes to be on.
#include <stdio.h>
#include <sys/utsname.h>

int main(void) {
  struct utsname name;
  if (uname(&name) != 0) return 1;
  printf("hello from %s\n", name.machine);
  return 0;
}
