#include "base/log.h"
#include "tests/lib/tap.h"

#include <pthread.h>

#define THREADS 4
#define LINES 500

static char last[8192];
static int count; /* not locked: the sink is called by one at a time */

static void keep(enum hxs_log_level level, const char *line, void *ctx)
{
	*(enum hxs_log_level *)ctx = level;
	(void)snprintf(last, sizeof(last), "%s", line);
	count++;
}

static void *many(void *arg)
{
	for (int i = 0; i < LINES; i++)
		hxs_log_info("thread %d line %d", *(int *)arg, i);
	return NULL;
}

static void test_threads(void)
{
	int ids[THREADS], started = 0;
	pthread_t t[THREADS];

	count = 0;
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		if (pthread_create(&t[i], NULL, many, &ids[i]) == 0)
			started++;
	}
	for (int i = 0; i < started; i++)
		(void)pthread_join(t[i], NULL);
	is_int(count, THREADS * LINES, "%d threads, no line lost", started);
}

static void test_stderr(void)
{
	char text[200] = "";
	FILE *f = tmpfile();
	int old = dup(2);

	if (!f || old < 0 || dup2(fileno(f), 2) < 0) {
		ok(false, "standard error to a file");
		return;
	}
	hxs_log_set_sink(hxs_log_to_stderr, (char[]){ "prog" }, HXS_LOG_INFO);
	hxs_log_info("one\ntwo");
	hxs_log_set_sink(hxs_log_to_stderr, NULL, HXS_LOG_INFO);
	hxs_log_info("three");
	hxs_log_set_sink(NULL, NULL, HXS_LOG_INFO);
	(void)dup2(old, 2);
	(void)close(old);
	rewind(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	is_str(text, "prog: one?two\nhxsnap: three\n", "on standard error");
}

int main(void)
{
	enum hxs_log_level level = HXS_LOG_DEBUG;
	char longer[5000];

	hxs_log_error("nobody listens yet");
	is_int(count, 0, "without a sink lines are dropped");

	hxs_log_set_sink(keep, &level, HXS_LOG_INFO);
	hxs_log_warn("disk %d%% full", 90);
	is_str(last, "disk 90% full", "a line arrives");
	is_int((int)level, HXS_LOG_WARN, "with its level");
	hxs_log_debug("too fine");
	is_int(count, 1, "finer than asked for: dropped");
	hxs_log_error("graver");
	is_int((int)level, HXS_LOG_ERROR, "graver than asked for: kept");

	hxs_log_info("a\nb\tc\x1b[31md\x7f"
		     "e\\");
	is_str(last, "a?b?c?[31md?e\\", "control bytes are replaced");
	hxs_log_info("\xc3\xa4 \xc2\x9b \xff \xe2\x80\xae.");
	is_str(last, "\xc3\xa4 ?? ? ???.",
	       "and C1, bad UTF-8, direction marks");

	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	hxs_log_info("%s", longer);
	is_str(last, longer, "a long line is whole");

	test_threads();
	test_stderr();
	hxs_log_set_sink(NULL, NULL, HXS_LOG_DEBUG);
	count = 0;
	hxs_log_error("nobody listens any more");
	is_int(count, 0, "the sink can be taken away");
	return tap_done();
}
