// Memory: what malloc, garbage collectors and just-in-time compilers stand on.
#define _GNU_SOURCE
#include <alloca.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "deep.h"

#define MIB ((size_t)1 << 20)

// malloc(3) goes on with mmap where brk fails: what programs notice.
static void expect_malloc(size_t grown) {
  enum { blocks = 1024, size = 64 << 10 };
  static char* block[blocks];
  for (size_t n = 0; n < blocks; ++n) {
    block[n] = malloc(size);
    if (block[n] == NULL) {
      broken("brk grew by only %zu MiB, and malloc gave only %zu MiB", grown, n * size / MIB);
    }
    memset(block[n], (int)n, size);
  }
  for (size_t n = 0; n < blocks; ++n) {
    if (block[n][0] != (char)n || block[n][size - 1] != (char)n) {
      broken("memory that malloc gave lost its contents");
    }
    free(block[n]);
  }
}

// What lies behind a position-independent program is QEMU's choice and chance: its heap may not
// grow at all (seen with 10.0), or by some 30 MiB (7.2). QEMU < 5.0 lost what brk had given.
void check_brk(void) {
  enum { steps = 64 };
  char* const start = sbrk(0);
  size_t grown = 0;
  for (; grown < steps; ++grown) {
    if (sbrk((intptr_t)MIB) == (void*)-1) break;
    char* const step = start + grown * MIB;
    if (step[0] != 0 || step[MIB - 1] != 0) broken("memory that brk gave is not zero");
    step[0] = step[MIB - 1] = (char)(grown + 1);
  }
  for (size_t n = 0; n < grown; ++n) {
    const char* const step = start + n * MIB;
    if (step[0] != (char)(n + 1) || step[MIB - 1] != (char)(n + 1)) {
      broken("memory that brk gave lost its contents");
    }
  }
  if (grown > 0) {
    const size_t half = grown / 2;
    must((long)(intptr_t)sbrk(-(intptr_t)((grown - half) * MIB)), "sbrk down");
    if (sbrk((intptr_t)MIB) != start + half * MIB) broken("brk did not go back");
    if (start[half * MIB] != 0) broken("memory that brk gave again is not zero");
  }
  if (grown == steps) return;
  expect_malloc(grown);
  not_supported("brk grew by %zu of %d MiB; malloc goes on without it", grown, steps);
}

static void* map(void* address, size_t size, int protection, int flags) {
  return mmap(address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

void check_mmap(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* const area = map(NULL, 64 * MIB, PROT_READ | PROT_WRITE, 0);
  if (area == MAP_FAILED) broken("mmap of 64 MiB: %s", strerror(errno));
  if ((uintptr_t)area % page != 0) broken("mmap gave %p, which is no page's address", (void*)area);
  area[0] = 1;
  area[64 * MIB - 1] = 2;
  // Replacing a part leaves its neighbours as they are.
  char* const middle = area + 16 * MIB;
  memset(middle - page, 7, 3 * page);
  if (map(middle, page, PROT_READ | PROT_WRITE, MAP_FIXED) != middle) broken("MAP_FIXED moved");
  if (middle[0] != 0) broken("MAP_FIXED left what was there");
  if (middle[-1] != 7 || middle[page] != 7) broken("MAP_FIXED changed its neighbours");
#ifdef MAP_FIXED_NOREPLACE
  if (map(middle, page, PROT_READ, MAP_FIXED_NOREPLACE) == middle) {
    broken("MAP_FIXED_NOREPLACE replaced what was there");
  }
#endif
  must(munmap(middle, page), "munmap of a part");
  if (map(middle, page, PROT_READ, 0) == MAP_FAILED) broken("mmap at a hint: %s", strerror(errno));
  char* const grown = mremap(area, MIB, 32 * MIB, MREMAP_MAYMOVE);
  if (grown == MAP_FAILED) broken("mremap: %s", strerror(errno));
  if (grown[0] != 1) broken("mremap lost the contents");
  if (sizeof(void*) == 8) {
    const size_t size = 4096 * MIB;  // reserved, as garbage collectors do
    void* const reserved = map(NULL, size, PROT_NONE, MAP_NORESERVE);
    if (reserved == MAP_FAILED) broken("mmap of 4 GiB to reserve: %s", strerror(errno));
    must(munmap(reserved, size), "munmap of 4 GiB");
  }
}

static sigjmp_buf back;
static char* volatile fault_page;
static void* volatile fault_address;
static volatile sig_atomic_t faults;

static void on_fault(int number, siginfo_t* information, void* context) {
  (void)number;
  (void)context;
  fault_address = information->si_addr;
  ++faults;
  if (fault_page == NULL) siglongjmp(back, 1);
  // The instruction is tried again when the handler returns.
  mprotect(fault_page, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE);
}

void check_faults(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  must(sigaction(SIGSEGV, &action, NULL), "sigaction");
  must(sigaction(SIGBUS, &action, NULL), "sigaction");
  char* const area = map(NULL, 2 * page, PROT_READ, 0);
  if (area == MAP_FAILED) broken("mmap: %s", strerror(errno));
  fault_page = area;
  *(volatile char*)(area + 123) = 45;
  if (faults != 1) broken("a write to a read-only page made %d faults", (int)faults);
  if (fault_address != area + 123) {
    broken("the fault was at %p, not at %p", fault_address, (void*)(area + 123));
  }
  if (area[123] != 45) broken("the write was not done again after the fault");
  fault_page = NULL;
  must(munmap(area + page, page), "munmap");
  if (sigsetjmp(back, 1) == 0) {
    *(volatile char*)(area + page) = 1;
    broken("a write to an unmapped page went through");
  }
  if (fault_address != area + page) broken("the second fault was at %p", fault_address);
}

// Leaf functions that do not care where they are.
__attribute__((noinline, noclone)) static int answer_one(void) {
  return 4321;
}
__attribute__((noinline, noclone)) static int answer_two(void) {
  return 1234;
}

static int call_copy(void* code, int (*function)(void)) {
  const size_t size = 64;
  const uintptr_t thumb =
#ifdef __thumb__
      1;
#else
      0;
#endif
  memcpy(code, (const void*)((uintptr_t)function & ~thumb), size);
  __builtin___clear_cache(code, (char*)code + size);
  return ((int (*)(void))((uintptr_t)code | thumb))();
}

void check_generated_code(void) {
#if defined(_CALL_ELF) && _CALL_ELF != 2
  not_supported("functions are descriptors here");
#endif
  void* const code =
      map(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE | PROT_EXEC, 0);
  if (code == MAP_FAILED)
    not_supported("no memory may be writable and executable: %s", strerror(errno));
  for (int n = 0; n < 100; ++n) {
    if (call_copy(code, answer_one) != 4321) broken("generated code gave a wrong result");
    if (call_copy(code, answer_two) != 1234) broken("code that was replaced is still run");
  }
}

void check_stack(void) {
  struct rlimit limit;
  must(getrlimit(RLIMIT_STACK, &limit), "getrlimit");
  size_t size = 6 * MIB;  // of the usual 8
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur / 4 * 3 < size) {
    size = (size_t)limit.rlim_cur / 4 * 3;
  }
  volatile char* const memory = alloca(size);
  for (size_t at = size; at >= 4096; at -= 4096) memory[at - 1] = (char)(at / 4096);
  for (size_t at = size; at >= 4096; at -= 4096) {
    if (memory[at - 1] != (char)(at / 4096)) broken("the stack lost its contents");
  }
}
