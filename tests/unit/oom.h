#ifndef HXS_TESTS_OOM_H
#define HXS_TESTS_OOM_H

/*
 * Allocation that fails when a test wants it to, and counts what is held.
 *
 *	static int work(void) { ... returns 0, or what failed ... }
 *	oom_each("parsing", work);
 *
 * runs work() again and again, the first, the second, the third allocation
 * failing, until it needs no more: each time it must say -ENOMEM (or have
 * done without, and be right) and give back all it took. The sanitizers bring
 * their own malloc, so with them it runs once. Which allocation of several
 * threads is the n-th is for chance to say. Include it in one file of a
 * program.
 */
#include "tests/lib/tap.h"

#include <errno.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OOM_HERE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OOM_HERE 0
#endif
#endif
#ifndef OOM_HERE
#define OOM_HERE 1
#endif

#if OOM_HERE
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *mem);

/* Allocations until one fails; 0 or less: never. All three are atomic. */
static long oom_countdown_;
static long oom_held_;
static bool oom_failed_;

static bool oom_fails_(void)
{
	if (__atomic_load_n(&oom_countdown_, __ATOMIC_RELAXED) <= 0 ||
	    __atomic_sub_fetch(&oom_countdown_, 1, __ATOMIC_RELAXED) != 0)
		return false;
	errno = ENOMEM;
	__atomic_store_n(&oom_failed_, true, __ATOMIC_RELAXED);
	return true;
}

static void *oom_count_(void *mem)
{
	(void)__atomic_add_fetch(&oom_held_, mem != NULL, __ATOMIC_RELAXED);
	return mem;
}

void *malloc(size_t size)
{
	return oom_fails_() ? NULL : oom_count_(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return oom_fails_() ? NULL : oom_count_(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
	void *mem;

	if (oom_fails_())
		return NULL;
	mem = __libc_realloc(old, size);
	if (!old)
		return oom_count_(mem);
	return mem;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	if (oom_fails_())
		return NULL;
	return oom_count_(__libc_memalign(alignment, size));
}

void free(void *mem)
{
	(void)__atomic_sub_fetch(&oom_held_, mem != NULL, __ATOMIC_RELAXED);
	__libc_free(mem);
}
#endif

static inline void oom_each(const char *what, int (*work)(void))
{
#if OOM_HERE
	bool right = true;
	long n, held;
	int r;

	r = work(); /* what is kept from then on, such as tables, is there */
	ok(r == 0, "%s: works with memory (got %d)", what, r);
	for (n = 1; right && n < 1000000; n++) {
		held = oom_held_;
		oom_failed_ = false;
		oom_countdown_ = n;
		r = work();
		oom_countdown_ = 0;
		right = (r == 0 || (r == -ENOMEM && oom_failed_)) &&
			oom_held_ == held;
		if (!oom_failed_)
			break;
	}
	ok(right && n > 1,
	   "%s: %ld allocations fail one after the other (got %d, %ld left)",
	   what, n - 1, r, oom_held_ - held);
#else
	ok(work() == 0, "%s: works, with the sanitizers' own malloc", what);
#endif
}

#endif
