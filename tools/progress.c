#include "tools/progress.h"

#include "base/clock.h"
#include "format/meta.h"
#include "tools/out.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define PATIENCE 1.0 /* seconds without a line */
#define INTERVAL 0.1 /* between two drawings */
#define WIDTH 80 /* of a terminal that does not say */
#define ERASE "\r\033[K"

/* Set by a signal, asked for by any thread: lock-free, so safe for both. */
static atomic_bool stop_asked;

static void on_signal(int sig HXS_UNUSED)
{
	atomic_store(&stop_asked, true);
}

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = on_signal }, old;
	size_t i;

	act.sa_flags = (int)SA_RESETHAND;
	(void)sigemptyset(&act.sa_mask); /* cannot fail */
	for (i = 0; i < HXS_ARRAY_LEN(signals); i++)
		/* what the caller has ignored (nohup) stays ignored */
		if (sigaction(signals[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &act, NULL);
}

static bool cancelled(void *ctx HXS_UNUSED)
{
	return atomic_load(&stop_asked);
}

/* "0:04", "3:20", "2:05:00". */
static void put_left(struct hxs_buf *out, double seconds)
{
	unsigned s = seconds < 1e6 ? (unsigned)(seconds + 0.5) : 999999;

	/* The buffer's status keeps failures. */
	(void)hxs_buf_puts(out, ", ");
	if (s >= 3600)
		(void)hxs_buf_printf(out, "%u:%02u", s / 3600, s % 3600 / 60);
	else
		(void)hxs_buf_printf(out, "%u", s / 60);
	(void)hxs_buf_printf(out, ":%02u left", s % 60);
}

void hxs_meter_line(const struct hxs_progress *p, double elapsed, size_t width,
		    struct hxs_buf *out)
{
	char done[HXS_SIZE_TEXT], total[HXS_SIZE_TEXT], rate[HXS_SIZE_TEXT];
	double speed = elapsed > 0 ? (double)p->bytes / elapsed : 0;
	size_t begin = out->len;

	/* The buffer's status keeps failures. */
	(void)hxs_buf_puts(out, p->phase ? p->phase : "working");
	(void)hxs_buf_printf(out, ": %s", hxs_out_size(p->bytes, done));
	if (p->bytes_total)
		(void)hxs_buf_printf(out, " of %s (%u%%)",
				     hxs_out_size(p->bytes_total, total),
				     (unsigned)((double)p->bytes * 100 /
						(double)p->bytes_total));
	(void)hxs_buf_printf(out, ", %" PRIu64, p->files);
	if (p->files_total)
		(void)hxs_buf_printf(out, " of %" PRIu64, p->files_total);
	(void)hxs_buf_puts(out, " files");
	if (speed >= 1)
		(void)hxs_buf_printf(out, ", %s/s",
				     hxs_out_size((uint64_t)speed, rate));
	if (p->bytes_total > p->bytes && speed >= 1)
		put_left(out, (double)(p->bytes_total - p->bytes) / speed);
	if (out->len - begin > width)
		hxs_buf_truncate(out, begin + width);
}

static size_t terminal_width(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return WIDTH;
	return ws.ws_col;
}

static void draw(struct hxs_meter *m, const struct hxs_progress *p, double now)
{
	HXS_AUTO_BUF struct hxs_buf line = HXS_BUF_INIT;

	/* Less one column: a full line would wrap and could not be erased. */
	hxs_meter_line(p, now - m->started, terminal_width() - 1, &line);
	if (hxs_buf_status(&line) < 0)
		return;
	(void)fprintf(stderr, ERASE "%s", hxs_buf_str(&line));
	m->drawn = true;
	m->last = now;
}

static void on_progress(const struct hxs_progress *p, void *ctx)
{
	struct hxs_meter *m = ctx;
	double now;

	if (!m->visible)
		return;
	now = hxs_clock_ticks();
	if (p->phase != m->phase || p->bytes < m->bytes)
		m->started = now; /* rate and time left are this stretch's */
	m->phase = p->phase;
	m->bytes = p->bytes;
	if (now - m->last < INTERVAL)
		return;
	draw(m, p, now);
}

static void on_warning(const char *text, void *ctx)
{
	struct hxs_meter *m = ctx;

	hxs_meter_clear(m);
	if (!m->quiet)
		hxs_out_warning(text);
	if (hxs_meta_add(&m->warning, &m->warning_count, text) < 0)
		return; /* no memory for the list; it was printed */
}

void hxs_meter_init(struct hxs_meter *m, bool quiet)
{
	*m = (struct hxs_meter){
		.listener = {
			.progress = on_progress,
			.warning = on_warning,
			.cancelled = cancelled,
			.ctx = m,
		},
		.quiet = quiet,
		.visible = !quiet && isatty(STDERR_FILENO),
		.started = hxs_clock_ticks(),
	};
	m->last = m->started + PATIENCE - INTERVAL;
	catch_signals();
}

void hxs_meter_clear(struct hxs_meter *m)
{
	if (m->drawn)
		(void)fputs(ERASE, stderr);
	m->drawn = false;
}

void hxs_meter_json(const struct hxs_meter *m, struct hxs_json_out *o)
{
	size_t i;

	hxs_json_out_array(o, "warnings");
	for (i = 0; i < m->warning_count; i++)
		hxs_json_out_string(o, NULL, m->warning[i]);
	hxs_json_out_end_array(o);
}

void hxs_meter_release(struct hxs_meter *m)
{
	size_t i;

	hxs_meter_clear(m);
	for (i = 0; i < m->warning_count; i++)
		free(m->warning[i]);
	free(m->warning);
	m->warning = NULL;
	m->warning_count = 0;
}
