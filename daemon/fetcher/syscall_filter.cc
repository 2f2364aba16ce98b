#include "daemon/fetcher/syscall_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emud::fetcher {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t native_table = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t native_table = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t native_table = 0;
#endif
constexpr std::uint32_t x32_bit = 0x40000000;  // __X32_SYSCALL_BIT

constexpr long denied[] = {
    // other programs and processes
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_kill, SYS_tkill,
    SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_kcmp,
#if defined(__x86_64__)
    SYS_fork, SYS_vfork,
#endif
    // namespaces and mounts
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_fsopen,
    SYS_fsmount, SYS_open_tree, SYS_move_mount, SYS_mount_setattr,
    // parts of the kernel with a history
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter,
    SYS_io_uring_register, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_open_by_handle_at,
    SYS_personality,
    // what processes of the same user share
    SYS_shmget, SYS_shmat, SYS_semget, SYS_msgget, SYS_mq_open,
    // servers
    SYS_listen, SYS_accept, SYS_accept4};

// The low half of argument n; the high half of the ints and flags looked at here does not count.
constexpr std::uint32_t argument(std::size_t n) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + n * sizeof(std::uint64_t));
}

// Puts the program together, one rule after the other. Each rule returns, or is jumped over.
class Program {
 public:
  void load(std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); }
  void keep_bits(std::uint32_t mask) { add(BPF_ALU | BPF_AND | BPF_K, mask); }
  void answer(std::uint32_t action) { add(BPF_RET | BPF_K, action); }
  void deny(int error) { answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)); }
  void skip_unless_equal(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count);
  }
  void skip_if_equal(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0);
  }
  void skip_unless_at_least(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JGE | BPF_K, value, 0, count);
  }
  [[nodiscard]] sock_fprog get() {
    return {static_cast<unsigned short>(code_.size()), code_.data()};
  }

 private:
  void add(int code, std::uint32_t value, std::uint8_t yes = 0, std::uint8_t no = 0) {
    code_.push_back({static_cast<std::uint16_t>(code), yes, no, value});
  }
  std::vector<sock_filter> code_;
};

void deny_always(Program& program, long number, int error = EPERM) {
  program.skip_unless_equal(static_cast<std::uint32_t>(number), 1);
  program.deny(error);
}

// Denies the call unless the masked argument is one of the two values. The rule ends with an
// answer, so that the number need not be loaded again.
void allow_only(Program& program, long number, std::size_t which, std::uint32_t mask,
                std::uint32_t first, std::uint32_t second, int error) {
  program.skip_unless_equal(static_cast<std::uint32_t>(number), 6);
  program.load(argument(which));
  program.keep_bits(mask);
  program.skip_if_equal(first, 2);
  program.skip_if_equal(second, 1);
  program.deny(error);
  program.answer(SECCOMP_RET_ALLOW);
}

// Denies the call where its argument is that value.
void deny_where(Program& program, long number, std::size_t which, std::uint32_t value) {
  program.skip_unless_equal(static_cast<std::uint32_t>(number), 4);
  program.load(argument(which));
  program.skip_unless_equal(value, 1);
  program.deny(EPERM);
  program.answer(SECCOMP_RET_ALLOW);
}

Program make_program(Allowance allowance) {
  constexpr std::uint32_t all = ~std::uint32_t{0};
  const auto self = static_cast<std::uint32_t>(::getpid());
  Program program;
  program.load(offsetof(seccomp_data, arch));
  program.skip_if_equal(native_table, 1);
  program.answer(SECCOMP_RET_KILL_PROCESS);
  program.load(offsetof(seccomp_data, nr));
  program.skip_unless_at_least(x32_bit, 1);
  program.answer(SECCOMP_RET_KILL_PROCESS);
  for (const long number : denied) deny_always(program, number);
  deny_always(program, SYS_clone3, ENOSYS);
  allow_only(program, SYS_tgkill, 0, all, self, self, EPERM);  // raise(3), abort(3)
  allow_only(program, SYS_prlimit64, 0, all, 0, self, EPERM);
  deny_where(program, SYS_prctl, 0, PR_SET_PDEATHSIG);  // it dies with its parent
  if (allowance == Allowance::networking) {
    allow_only(program, SYS_clone, 0, CLONE_THREAD, CLONE_THREAD, CLONE_THREAD, EPERM);
    allow_only(program, SYS_socket, 0, all, AF_INET, AF_INET6, EAFNOSUPPORT);
    // libcurl's threads talk through a pair. Of streams: a pair of datagram sockets can be
    // connected to somebody else.
    allow_only(program, SYS_socketpair, 1, 0xf, SOCK_STREAM, SOCK_STREAM, EPERM);
  } else {
    deny_always(program, SYS_clone);
    deny_always(program, SYS_socket, EAFNOSUPPORT);
    deny_always(program, SYS_socketpair);
  }
  program.answer(SECCOMP_RET_ALLOW);
  return program;
}

}  // namespace

Result<> filter_system_calls(Allowance allowance) {
  if (native_table == 0) return {};
  Program program = make_program(allowance);
  const sock_fprog filter = program.get();
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0) return {};
  // prctl(2): a kernel without CONFIG_SECCOMP_FILTER.
  if (errno == EINVAL || errno == ENOSYS) return {};
  return fail_errno("filter", "system calls");
}

}  // namespace emud::fetcher
