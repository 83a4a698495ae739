#include "store/drills.h"

#include "base/io.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define REPORT_MAX (16u << 20) /* bytes */
#define SUFFIX ".json"
#define PATH_SIZE 160

void hxs_drills_release(struct hxs_drill_report *d)
{
	size_t i;

	for (i = 0; i < d->step_count; i++) {
		free(d->steps[i].step);
		free(d->steps[i].detail);
	}
	for (i = 0; i < d->warning_count; i++)
		free(d->warnings[i]);
	free(d->steps);
	free(d->warnings);
	*d = (struct hxs_drill_report){ .id = "" };
}

int hxs_drills_add_step(struct hxs_drill_report *d, const char *step,
			bool passed, double seconds, const char *detail)
{
	struct hxs_drill_step *grown;

	grown = reallocarray(d->steps, d->step_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	d->steps = grown;
	grown += d->step_count;
	*grown = (struct hxs_drill_step){
		.step = strdup(step),
		.passed = passed,
		.seconds = seconds,
		.detail = strdup(detail),
	};
	if (!grown->step || !grown->detail) {
		free(grown->step);
		free(grown->detail);
		return -ENOMEM;
	}
	d->step_count++;
	return 0;
}

int hxs_drills_add_warning(struct hxs_drill_report *d, const char *text)
{
	char **grown;

	grown = reallocarray(d->warnings, d->warning_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	d->warnings = grown;
	grown[d->warning_count] = strdup(text);
	if (!grown[d->warning_count])
		return -ENOMEM;
	d->warning_count++;
	return 0;
}

/* ---- files ------------------------------------------------------------- */

static void path_of(const char *env, const char *id, char out[PATH_SIZE])
{
	(void)snprintf(out, PATH_SIZE, HXS_DRILLS_DIR "/%s%s%s%s", env,
		       id ? "/" : "", id ? id : "", id ? SUFFIX : "");
}

int hxs_drills_dir(struct hxs_store *s, const char *env)
{
	char path[PATH_SIZE];

	path_of(env, NULL, path);
	return hxs_store_make_dir(s, path, 0755, NULL);
}

static int see(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	struct hxs_names *ids = ctx;
	char id[HXS_ID_LEN + 1], **grown;

	if (strlen(name) != HXS_ID_LEN + strlen(SUFFIX) ||
	    strcmp(name + HXS_ID_LEN, SUFFIX) != 0)
		return 0;
	memcpy(id, name, HXS_ID_LEN);
	id[HXS_ID_LEN] = '\0';
	if (!hxs_clock_is_id(id))
		return 0;
	grown = reallocarray(ids->name, ids->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	ids->name = grown;
	grown[ids->count] = strdup(id);
	if (!grown[ids->count])
		return -ENOMEM;
	ids->count++;
	return 0;
}

static int by_name(const void *pa, const void *pb)
{
	const char *const *a = pa, *const *b = pb;

	return strcmp(*a, *b);
}

int hxs_drills_ids(const struct hxs_store *s, const char *env,
		   struct hxs_names *out, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	char path[PATH_SIZE];
	int r;

	if (!hxs_path_is_name(env))
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is no name of an environment", env);
	path_of(env, NULL, path);
	fd = hxs_io_open_dir(hxs_store_fd(s), path);
	r = fd == -ENOENT ? 0 : fd < 0 ? fd : hxs_io_list(fd, see, &ids);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list '%s/%s'",
				     hxs_store_path(s), path);
	if (ids.count)
		qsort(ids.name, ids.count, sizeof(*ids.name), by_name);
	*out = ids;
	ids = (struct hxs_names)HXS_NAMES_INIT;
	return 0;
}

int hxs_drills_save(struct hxs_store *s, const struct hxs_drill_report *d,
		    struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	char name[HXS_ID_LEN + sizeof(SUFFIX)];
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_json_out o;
	int r;

	hxs_json_out_init(&o, &text, true);
	hxs_json_out_object(&o, NULL);
	hxs_drills_json(d, &o);
	hxs_json_out_end_object(&o);
	(void)snprintf(name, sizeof(name), "%s" SUFFIX, d->id);
	r = hxs_buf_status(&text);
	if (r == 0)
		r = fd = hxs_drills_dir(s, d->env);
	if (r >= 0)
		r = hxs_io_publish(fd, name, hxs_buf_str(&text), text.len,
				   0644);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot keep the report of drill '%s/%s'",
				     d->env, d->id);
	return 0;
}

static int damaged(const char *path, struct hxs_err *err)
{
	(void)hxs_err_prefix(err, -HXS_ECORRUPT, "the report of a drill, '%s'",
			     path);
	return -HXS_ECORRUPT;
}

int hxs_drills_load(const struct hxs_store *s, const char *env, const char *id,
		    struct hxs_drill_report *out, struct hxs_err *err)
{
	struct hxs_drill_report got = { .id = "" };
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	char path[PATH_SIZE];
	size_t len;
	int r;

	if (!hxs_path_is_name(env) || !hxs_clock_is_id(id))
		return hxs_err_set(err, HXS_ENOSUCH, "no drill is named so");
	path_of(env, id, path);
	fd = hxs_io_open_regular(hxs_store_fd(s), path, NULL);
	if (fd == -ENOENT)
		return hxs_err_set(err, HXS_ENOSUCH, "there is no '%s/%s'",
				   hxs_store_path(s), path);
	r = fd < 0 ? fd : hxs_io_read_all(fd, REPORT_MAX, &text, &len);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read '%s/%s'",
				     hxs_store_path(s), path);
	r = hxs_drills_parse(text, len, &got, err);
	if (r == -HXS_ECORRUPT)
		return damaged(path, err);
	if (r < 0)
		return r;
	if (strcmp(got.env, env) != 0 || strcmp(got.id, id) != 0) {
		hxs_drills_release(&got);
		(void)hxs_err_set(err, HXS_ECORRUPT, "it speaks of another");
		return damaged(path, err);
	}
	*out = got;
	return 0;
}
