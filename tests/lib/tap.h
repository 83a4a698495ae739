#ifndef HXS_TESTS_TAP_H
#define HXS_TESTS_TAP_H

/*
 * TAP for C tests. A test program is a main() that calls these and ends with
 * "return tap_done();". Not for several threads at once.
 *
 *	ok(r == 0, "reads an empty file");
 *	is_int(r, -HXS_ECORRUPT, "case '%s'", c->label);
 *	is_str(err.message, "line 3: ...", "names the line");
 *	if (geteuid() != 0)
 *		tap_skip("ROOT", "wants root");
 *
 * HXS_TEST_REQUIRE, a list of words or "all", turns a skip that names one of
 * them into a failure.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count_, tap_failed_;

/* What follows "# " must stay on one line. */
static inline void tap_print_(FILE *to, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f || c == '#')
			fprintf(to, "\\%03o", c);
		else
			fputc(c, to);
	}
}

__attribute__((format(printf, 2, 0))) static inline bool tap_vresult_(
	bool good, const char *fmt, va_list ap)
{
	char name[512];

	(void)vsnprintf(name, sizeof(name), fmt, ap);
	printf("%sok %d - ", good ? "" : "not ", ++tap_count_);
	tap_print_(stdout, name);
	putchar('\n');
	fflush(stdout);
	tap_failed_ += !good;
	return good;
}

__attribute__((format(printf, 5, 6))) static inline bool tap_ok_(
	bool good, const char *file, int line, const char *expr,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)tap_vresult_(good, fmt, ap);
	va_end(ap);
	if (!good)
		fprintf(stderr, "# %s:%d: %s\n", file, line, expr);
	return good;
}

__attribute__((format(printf, 5, 6))) static inline bool tap_is_int_(
	long long got, long long want, const char *file, int line,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)tap_vresult_(got == want, fmt, ap);
	va_end(ap);
	if (got != want)
		fprintf(stderr, "# %s:%d: got %lld, want %lld\n", file, line,
			got, want);
	return got == want;
}

__attribute__((format(printf, 5, 6))) static inline bool tap_is_str_(
	const char *got, const char *want, const char *file, int line,
	const char *fmt, ...)
{
	bool same = got && want ? strcmp(got, want) == 0 : got == want;
	va_list ap;

	va_start(ap, fmt);
	(void)tap_vresult_(same, fmt, ap);
	va_end(ap);
	if (!same) {
		fprintf(stderr, "# %s:%d: got '", file, line);
		tap_print_(stderr, got ? got : "(null)");
		fprintf(stderr, "'\n# want '");
		tap_print_(stderr, want ? want : "(null)");
		fprintf(stderr, "'\n");
	}
	return same;
}

/* Each is one test; the arguments after the condition are its name. */
#define ok(cond, ...) tap_ok_(!!(cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
#define is_int(got, want, ...) \
	tap_is_int_(got, want, __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) \
	tap_is_str_(got, want, __FILE__, __LINE__, __VA_ARGS__)

/* Count a test as skipped because @what ("FUSE", "ROOT") is not here. */
static inline void tap_skip(const char *what, const char *reason)
{
	const char *require = getenv("HXS_TEST_REQUIRE");
	size_t len = strlen(what);
	const char *p;

	for (p = require; p && *p; p += strcspn(p, " ,")) {
		p += strspn(p, " ,");
		if ((strncmp(p, what, len) == 0 && strchr(" ,", p[len])) ||
		    (strncmp(p, "all", 3) == 0 && strchr(" ,", p[3]))) {
			ok(false, "%s: %s", what, reason);
			return;
		}
	}
	printf("ok %d # SKIP %s: %s\n", ++tap_count_, what, reason);
	fflush(stdout);
}

/* Print the plan; the value is main()'s. No test at all is a failure. */
static inline int tap_done(void)
{
	printf("1..%d\n", tap_count_);
	return tap_failed_ || !tap_count_;
}

#endif
