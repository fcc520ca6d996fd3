/*
 * escape.c - an object as if a guest had broken out of WebAssembly and ran any code: its exports
 * make system calls.  run-wasm-hostile compiles it and shows that a host process that is locked
 * in ends at each; `nothing` makes one that is allowed, to show that the object itself works.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wasm/abi.h"

#define CALLS(X)                                                                      \
	X(nothing, SYS_getpid)                                                         \
	X(open, SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)                          \
	X(create, SYS_openat, AT_FDCWD, "/tmp/escaped", O_WRONLY | O_CREAT, 0600)       \
	X(unlink, SYS_unlinkat, AT_FDCWD, "/tmp/escaped", 0)                            \
	X(socket, SYS_socket, AF_INET, SOCK_STREAM, 0)                                  \
	X(connect, SYS_connect, 0, "\2\0\0\120\177\0\0\1", 16)                          \
	X(sendto, SYS_sendto, 1, "x", 1, 0, NULL, 0)                                    \
	X(execve, SYS_execve, "/bin/sh", NULL, NULL)                                    \
	X(clone, SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)                            \
	X(ptrace, SYS_ptrace, PTRACE_ATTACH, 1, NULL, NULL)                             \
	X(kill, SYS_kill, 1, 0)                                                         \
	X(prctl, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)                                \
	X(ioctl, SYS_ioctl, 0, 0x5412, "x")                                             \
	X(fcntl, SYS_fcntl, 0, F_SETFL, 0)                                              \
	X(dup, SYS_dup, 0)                                                              \
	X(mount, SYS_mount, "none", "/mnt", "tmpfs", 0, NULL)                           \
	X(unshare, SYS_unshare, 0)                                                      \
	X(bpf, SYS_bpf, 0, NULL, 0)                                                     \
	X(io_uring, SYS_io_uring_setup, 1, NULL)                                        \
	X(process_vm, SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0)                     \
	X(code, SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) \
	X(file, SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0)                     \
	X(make_code, SYS_mprotect, 4096, 4096, PROT_READ | PROT_EXEC)

#define X(name, ...) static void call_##name(void *i, uint64_t *s) { (void)i, (void)s; syscall(__VA_ARGS__); }
CALLS(X)
#undef X
#define X(name, ...) call_##name,
static void (*const calls[])(void *instance, uint64_t *slots) = { CALLS(X) };
#undef X
#define X(name, ...) #name,
static const char *const names[] = { CALLS(X) };
#undef X
#define X(name, ...) ">",
static const char *const types[] = { CALLS(X) };
#undef X

static struct wasm_meter meter;

static void bind_env(const struct wasm_env *env) { (void)env; }
static void ignore(void *i) { (void)i; }
static void meter_set(const struct wasm_meter *m) { meter = *m; }
static void meter_get(struct wasm_meter *m) { *m = meter; }

const struct wasm_object cohort_wasm_object = {
	.abi = WASM_ABI, .instance_bytes = 16, .exports_n = sizeof calls / sizeof *calls,
	.export_names = names, .export_types = types, .bind = bind_env, .instantiate = ignore,
	.release = ignore, .meter_set = meter_set, .meter_get = meter_get, .exports = calls,
};
