/*
 * Running out of memory is an ordinary error. Each operation of core/base is
 * run with its first allocation failing, then with its second, and so on
 * until it needs no more: each time it must succeed or answer -ENOMEM, and
 * leave nothing behind. The allocator is the C library's with a counter in
 * front; under a sanitizer, which has its own, the operations only run.
 */
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/proc.h"
#include "tests/unit/scratch.h"

#include <stdatomic.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define COUNTED 0
#endif
#endif
#ifndef COUNTED
#define COUNTED 1
#endif

static atomic_long left = -1; /* allocations that succeed; -1: all */
static atomic_bool for_ever; /* the one that fails is not the only one */
static atomic_long live; /* allocated and not given back */

#if COUNTED
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static bool refuse(void)
{
	long n = atomic_load(&left);

	if (n < 0)
		return false;
	if (n > 0) {
		atomic_store(&left, n - 1);
		return false;
	}
	if (!atomic_load(&for_ever))
		atomic_store(&left, -1);
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	if (p)
		atomic_fetch_add(&live, 1);
	return p;
}

void *malloc(size_t n)
{
	return refuse() ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	return refuse() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
	void *q;

	if (refuse())
		return NULL;
	q = __libc_realloc(p, n);
	if (!p && q)
		atomic_fetch_add(&live, 1);
	return q;
}

void free(void *p)
{
	if (p)
		atomic_fetch_sub(&live, 1);
	__libc_free(p);
}
#endif

static struct scratch dir;

static int do_buf(void)
{
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	HXS_AUTO_FREE char *s = NULL;

	(void)hxs_buf_puts(&b, "some");
	(void)hxs_buf_printf(&b, "%200d", 1);
	(void)hxs_path_show(&b, "a\n\xff", 3);
	s = hxs_buf_steal(&b, NULL);
	return s ? (int)strlen(s) : -ENOMEM;
}

static int do_json(void)
{
	static const char text[] = "{\"a\":[1,\"x\",{\"b\":null}],\"c\":2}";
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	const struct hxs_json *v;
	struct hxs_err err = HXS_ERR_INIT;
	int r;

	r = hxs_json_parse(text, sizeof(text) - 1, &doc, &err);
	if (r < 0)
		return err.message[0] ? r : -EPROTO;
	/* A path that cannot be made is told by other words, not by NULL. */
	v = hxs_json_get(hxs_json_root(doc), "a");
	return v && hxs_json_path(v)[0] ? 0 : -EPROTO;
}

static int do_json_out(void)
{
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	struct hxs_json_out o;

	hxs_json_out_init(&o, &b, true);
	hxs_json_out_object(&o, NULL);
	for (int i = 0; i < 100; i++)
		hxs_json_out_string(&o, "key", "va\x01lue");
	hxs_json_out_end_object(&o);
	return hxs_buf_status(&b);
}

static int do_read_all(void)
{
	HXS_AUTO_CLOSE int fd = openat(dir.fd, "file", O_RDONLY | O_CLOEXEC);
	HXS_AUTO_FREE char *data = NULL;
	size_t len;

	return hxs_io_read_all(fd, 1 << 20, &data, &len);
}

static int do_mkdirs(void)
{
	return hxs_io_mkdirs(dir.fd, "a/b/c", 0700);
}

static int do_publish(void)
{
	return hxs_io_publish(dir.fd, "published", "x", 1, 0600);
}

static int ignore(const char *name HXS_UNUSED, unsigned char t HXS_UNUSED,
		  void *ctx HXS_UNUSED)
{
	return 0;
}

static int do_list(void)
{
	return hxs_io_list(dir.fd, ignore, NULL);
}

static int do_remove(void)
{
	int r = hxs_io_remove_tree(dir.fd, "deep");

	if (r == 0 && scratch_exists(dir.fd, "deep"))
		return -EPROTO;
	return r == 0 ? hxs_io_remove_tree(dir.fd, "a/b") : r;
}

static void nothing(void *arg HXS_UNUSED)
{
}

static int do_pool(void)
{
	HXS_AUTO(pool) struct hxs_pool *pool = NULL;
	int r = hxs_pool_new(2, 4, &pool);

	if (r < 0)
		return r == -EAGAIN ? -ENOMEM : r; /* a thread's own memory */
	hxs_pool_submit(pool, nothing, NULL);
	hxs_pool_wait(pool);
	return 0;
}

static int do_proc(void)
{
	static const char *const argv[] = { "echo", "hello", NULL };
	struct hxs_proc_opts opts = { .argv = argv, .max_output = 100 };
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	int status = -1, r;

	r = hxs_proc_run(&opts, &out, &status, &err);
	if (r < 0)
		return err.message[0] ? r : -EPROTO;
	return status == 0 && strcmp(out.data, "hello\n") == 0 ? 0 : -EPROTO;
}

static void sink(enum hxs_log_level level HXS_UNUSED,
		 const char *line HXS_UNUSED, void *ctx)
{
	++*(int *)ctx;
}

static int do_log(void)
{
	int lines = 0;

	hxs_log_set_sink(sink, &lines, HXS_LOG_INFO);
	hxs_log_info("%5000d", 1);
	hxs_log_set_sink(NULL, NULL, HXS_LOG_INFO);
	return lines == 1 ? 0 : -EPROTO; /* cut short, but not lost */
}

static const struct {
	const char *label;
	int (*run)(void);
	bool deep; /* wants the tree "deep" each time */
} ops[] = {
	{ "a buffer", do_buf, false },
	{ "reading JSON", do_json, false },
	{ "writing JSON", do_json_out, false },
	{ "reading a file", do_read_all, false },
	{ "making directories", do_mkdirs, false },
	{ "publishing", do_publish, false },
	{ "listing", do_list, false },
	{ "removing a tree", do_remove, true },
	{ "a pool", do_pool, false },
	{ "a child", do_proc, false },
	{ "a log line", do_log, false },
};

/* The n-th allocation fails; -1 none. */
static int with_failure(size_t op, long n, bool all_after)
{
	int r;

	if (ops[op].deep && !scratch_exists(dir.fd, "deep"))
		scratch_deep(dir.fd, "deep", "d", 40);
	atomic_store(&for_ever, all_after);
	atomic_store(&left, n);
	r = ops[op].run();
	/* Not used up: it needs fewer than that. */
	if (atomic_load(&left) > 0)
		r = 1 << 20;
	atomic_store(&left, -1);
	return r;
}

static void try_op(size_t op, bool all_after)
{
	long n, before, leaked = 0;
	int r = 0, bad = 0;

	for (n = 0; COUNTED && n < 10000; n++) {
		before = atomic_load(&live);
		r = with_failure(op, n, all_after);
		leaked += atomic_load(&live) - before;
		if (r == 1 << 20)
			break;
		if (r < 0 && r != -ENOMEM) {
			fprintf(stderr, "# allocation %ld: %d\n", n, r);
			bad++;
		}
	}
	is_int(bad, 0, "%s: %ld allocations, each failing%s", ops[op].label, n,
	       all_after ? " with all after it" : "");
	is_int(leaked, 0, "%s: nothing left behind", ops[op].label);
	ok(n < 10000, "%s: comes to an end", ops[op].label);
}

int main(void)
{
	size_t i;

	scratch_open(&dir);
	scratch_file(dir.fd, "file", "some text");
	for (i = 0; i < HXS_ARRAY_LEN(ops); i++) {
		ok(with_failure(i, -1, false) >= 0, "%s", ops[i].label);
		try_op(i, false);
		try_op(i, true);
	}
	scratch_close(&dir);
	return tap_done();
}
