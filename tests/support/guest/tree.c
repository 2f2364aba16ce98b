// tree N: starts N children that never end (every second one in a session of its own and deaf to
// SIGTERM), prints "ready" and waits for them. What a test kills, or ends the lease of, to see that
// all of it ends.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const int count = argc == 2 ? atoi(argv[1]) : 1;
  for (int i = 0; i < count; i++) {
    const pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      if (i % 2 == 1) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
      }
      for (;;) pause();
    }
  }
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
