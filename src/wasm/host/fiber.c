/*
 * fiber.c - see fiber.h.
 *
 * A fiber is entered once by setcontext, and remembers that place; all later switches are
 * setjmp and longjmp without the signal mask, which make no system call.
 *
 * SPDX-License-Identifier: MIT
 */
/* glibc's checked longjmp takes a jump to another stack for a fault. */
#undef _FORTIFY_SOURCE

#include <assert.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/mem.h"
#include "wasm/host/fiber.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define PAGE 4096

struct fiber {
	struct fiber *next;                  /* of those that are free */
	char *stack;
	bool waits;
	jmp_buf base, at;                    /* before its job; where it waits */
	const char *sp;                      /* about, where it waits */
	void (*job)(void *arg);
	void *arg;
};

static struct fiber *fibers, *idle;
static struct fiber *volatile current;
static jmp_buf outside;

static void
fiber_main(void)
{
	if (_setjmp(current->base) == 0)
		_longjmp(outside, FIBER_RETURNED);
	current->job(current->arg);
	_longjmp(outside, FIBER_RETURNED);
}

/* The first entry: it comes back as soon as the place is known. */
static void
fiber_begin(struct fiber *f)
{
	static ucontext_t c;

	if (getcontext(&c) != 0)
		abort();
	c.uc_stack.ss_sp = f->stack;
	c.uc_stack.ss_size = FIBER_STACK;
	c.uc_link = NULL;
	makecontext(&c, fiber_main, 0);
	current = f;
	if (_setjmp(outside) == 0)
		setcontext(&c);
	current = NULL;
}

int
fibers_setup(uint32_t max, struct err *e)
{
	size_t stride = FIBER_GUARD + FIBER_STACK;
	char *p = mmap(NULL, max * stride, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert(max > 0 && fibers == NULL);
	if (p == MAP_FAILED)
		return err_set(e, ERR_LIMIT, "no addresses for %u stacks of guests: %m", max);
	fibers = mem_zero(max * sizeof *fibers);
	for (uint32_t i = max; i-- > 0; ) {
		struct fiber *f = &fibers[i];

		f->stack = p + i * stride + FIBER_GUARD;
		if (mprotect(f->stack, FIBER_STACK, PROT_READ | PROT_WRITE) != 0)
			return err_set(e, ERR_LIMIT, "no memory for a guest's stack: %m");
		f->next = idle;
		idle = f;
	}
	return OK;
}

struct fiber *
fiber_take(void)
{
	struct fiber *f = idle;

	if (f == NULL)
		return NULL;
	idle = f->next;
	f->next = NULL;
	if (f->sp == NULL)
		fiber_begin(f);
	return f;
}

bool
fiber_spare(void)
{
	return idle != NULL;
}

/* The page at its top has the place where it begins. */
static void
fiber_empty(struct fiber *f)
{
	if (f->sp != NULL)
		madvise(f->stack, FIBER_STACK - PAGE, MADV_DONTNEED);
}

void
fiber_give(struct fiber *f)
{
	assert(f != NULL && f != current && f->next == NULL);
	if (f->waits)
		ASAN_UNPOISON_MEMORY_REGION(f->stack, FIBER_STACK);
	f->waits = false;
	f->sp = f->stack + FIBER_STACK;
	if (idle != NULL)
		fiber_empty(idle);
	f->next = idle;
	idle = f;
}

static enum fiber_end
enter(struct fiber *f, jmp_buf *at)
{
	assert(current == NULL);
	switch (_setjmp(outside)) {
	case 0:
		current = f;
		_longjmp(*at, 1);
	case FIBER_WAITS:
		current = NULL;
		return FIBER_WAITS;
	case FIBER_LEFT:
		current = NULL;
		ASAN_UNPOISON_MEMORY_REGION(f->stack, FIBER_STACK);
		return FIBER_LEFT;
	default:
		current = NULL;
		return FIBER_RETURNED;
	}
}

enum fiber_end
fiber_run(struct fiber *f, void (*job)(void *arg), void *arg)
{
	assert(!f->waits);
	f->job = job;
	f->arg = arg;
	return enter(f, &f->base);
}

enum fiber_end
fiber_go_on(struct fiber *f)
{
	assert(f->waits);
	f->waits = false;
	return enter(f, &f->at);
}

size_t
fiber_used(const struct fiber *f)
{
	assert(f->waits);
	return (size_t)(f->stack + FIBER_STACK - f->sp) + PAGE;
}

void
fiber_trim(struct fiber *f)
{
	size_t used = fiber_used(f);

	used += PAGE - used % PAGE;
	if (used < FIBER_STACK)
		madvise(f->stack, FIBER_STACK - used, MADV_DONTNEED);
}

void
fiber_wait(void)
{
	struct fiber *f = current;

	f->sp = __builtin_frame_address(0);
	f->waits = true;
	if (_setjmp(f->at) == 0)
		_longjmp(outside, FIBER_WAITS);
}

void
fiber_leave(void)
{
	assert(current != NULL);
	_longjmp(outside, FIBER_LEFT);
}

size_t
fiber_room(void)
{
	return (size_t)((char *)__builtin_frame_address(0) - current->stack);
}

bool
fiber_overran(uintptr_t address)
{
	const struct fiber *f = current;

	return f != NULL && address < (uintptr_t)f->stack && address >= (uintptr_t)f->stack - FIBER_GUARD;
}
