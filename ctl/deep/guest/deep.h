// What the check programs share. One program holds them all: `deep CHECK PATH` runs one check in
// the working directory, which is empty and its own; PATH is the program itself, absolute.
//
// It ends with status 0 for what works, CHECK_BROKEN with a line on stdout that says what is wrong,
// CHECK_NOT_SUPPORTED with a line that says what is missing. Nothing else may be printed. Without
// arguments it prints the names of its checks.
#pragma once

enum { CHECK_BROKEN = 1, CHECK_NOT_SUPPORTED = 77 };

// Print the line and end the process at once, a child of the check too.
__attribute__((format(printf, 1, 2), noreturn)) void broken(const char* format, ...);
__attribute__((format(printf, 1, 2), noreturn)) void not_supported(const char* format, ...);

// For a system call that must succeed: broken, with its name and errno, if result is -1.
long must(long result, const char* call);

// Waits for a child: its exit status. broken, with `what`, if a signal ended it.
int exit_status_of(int pid, const char* what);

// Waits for a child that has to end with 0; if it did not, it has said why: ends as it did.
void expect_success(int pid, const char* what);

// Sleeps at least that long, whatever signals come.
void sleep_milliseconds(long milliseconds);

// The path of this program.
extern const char* program_path;

// The checks.
void check_brk(void);
void check_mmap(void);
void check_faults(void);
void check_generated_code(void);
void check_stack(void);
void check_fork(void);
void check_fork_threads(void);
void check_vfork(void);
void check_spawn(void);
void check_spawn_error(void);
void check_sigchld(void);
void check_job_control(void);
void check_exec(void);
void check_argv0(void);
void check_shebang(void);
void check_self_exe(void);
void check_exec_self(void);
void check_threads(void);
void check_thread_churn(void);
void check_thread_stack(void);
void check_thread_cancel(void);
void check_robust_mutex(void);
void check_shared_mutex(void);
void check_signals(void);
void check_signals_nested(void);
void check_signals_masked(void);
void check_signals_thread(void);
void check_sigaltstack(void);
void check_restart(void);
void check_timers(void);
void check_large_files(void);
void check_readdir(void);
void check_stat(void);
void check_statx(void);
void check_locks(void);
void check_file_mmap(void);
void check_file_copy(void);
void check_pipes(void);
void check_sockets(void);
void check_events(void);
void check_random(void);
void check_clock(void);
void check_uname(void);
void check_auxv(void);
void check_proc_self(void);

// What a program started by a check does, by its first argument: the exit status.
int run_helper(int argc, char** argv);
