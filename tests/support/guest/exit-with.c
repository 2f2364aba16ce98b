// exit-with N: exits with status N. exit-with -N: ends by signal N.
#include <signal.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int number = atoi(argv[1]);
  if (number >= 0) return number;
  raise(-number);
  return 2;
}
