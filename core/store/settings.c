#include "store/settings.h"

#include "base/io.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define HERE "hxsnap.json"
#define EVERYWHERE "/etc/hxsnap.json"
#define VARIABLE "HXSNAP_CONFIG"
#define FILE_MAX (16u << 20) /* bytes */

/*
 * Read @path: 1 with its text, 0 when it is not there. The operator chose the
 * name, so links are followed; what it leads to must be a plain file that
 * not everybody can change.
 */
static int read_file(const char *path, char **text, size_t *len,
		     struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st;
	int r;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 && errno == ENXIO)
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is not a regular file", path);
	if (fd < 0)
		return hxs_err_errno(err, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'", path);
	if (S_ISDIR(st.st_mode))
		return hxs_err_set(err, HXS_EUSAGE, "'%s' is a directory",
				   path);
	if (!S_ISREG(st.st_mode))
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is not a regular file", path);
	if (st.st_mode & S_IWOTH) {
		(void)hxs_err_set(err, HXS_EUSAGE,
				  "'%s' is writable by everybody", path);
		hxs_err_hint(err, "run 'chmod o-w %s'", path);
		return -HXS_EUSAGE;
	}
	r = hxs_io_read_all(fd, FILE_MAX, text, len);
	if (r == -EFBIG)
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is larger than 16 MiB", path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read '%s'", path);
	return 1;
}

/* The absolute directory of @path; the caller's. */
static int base_of(const char *path, char **out, struct hxs_err *err)
{
	HXS_AUTO_FREE char *dir = NULL;
	const char *slash = strrchr(path, '/');

	if (!slash)
		dir = strdup(".");
	else if (slash == path)
		dir = strdup("/");
	else
		dir = strndup(path, (size_t)(slash - path));
	if (!dir)
		return hxs_err_errno(err, ENOMEM, "cannot read '%s'", path);
	*out = realpath(dir, NULL);
	if (!*out)
		return hxs_err_errno(err, errno, "cannot resolve '%s'", dir);
	return 0;
}

/* Give the settings of @env the values that @base/.env.ENV has for them. */
static int fill_settings(struct hxs_config_env *env, const char *base,
			 struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_FREE char *text = NULL;
	struct hxs_config_setting *setting;
	size_t len, i;
	int r;

	if (env->setting_count == 0)
		return 0;
	(void)hxs_buf_printf(&path, "%s/.env.%s", base, env->name);
	if (hxs_buf_status(&path) < 0)
		return hxs_err_errno(err, ENOMEM,
				     "cannot read the settings of '%s'",
				     env->name);
	r = read_file(hxs_buf_str(&path), &text, &len, err);
	if (r <= 0)
		return r;
	for (i = 0; i < env->setting_count; i++) {
		setting = &env->settings[i];
		if (setting->value)
			continue;
		r = hxs_config_env_value(text, len, hxs_buf_str(&path),
					 setting->name, &setting->value, err);
		if (r < 0)
			return r;
		if (r > 0 && hxs_config_has_password(setting->value)) {
			free(setting->value);
			setting->value = NULL;
		}
	}
	return 0;
}

/* Load hxsnap.json at @path: 1, or 0 when it is not there. */
static int load_json(const char *path, const char *env, struct hxs_config **out,
		     struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	HXS_AUTO_FREE char *text = NULL, *base = NULL;
	size_t len, i;
	int r;

	r = read_file(path, &text, &len, err);
	if (r <= 0)
		return r < 0 ? hxs_err_prefix(err, r, "configuration") : 0;
	r = base_of(path, &base, err);
	if (r < 0)
		return r;
	r = hxs_config_parse(text, len, path, base, &c, err);
	if (r < 0)
		return r;
	for (i = 0; env && i < c->env_count; i++) {
		if (strcmp(c->envs[i].name, env) != 0)
			continue;
		r = fill_settings(&c->envs[i], base, err);
		if (r < 0)
			return r;
	}
	*out = HXS_STEAL(c);
	return 1;
}

/* The same for .env.ENV at @path. */
static int load_env(const char *path, const char *env, struct hxs_config **out,
		    struct hxs_err *err)
{
	HXS_AUTO_FREE char *text = NULL, *base = NULL;
	size_t len;
	int r;

	r = read_file(path, &text, &len, err);
	if (r <= 0)
		return r;
	r = base_of(path, &base, err);
	if (r < 0)
		return r;
	r = hxs_config_parse_env(text, len, path, base, env, out, err);
	return r < 0 ? r : 1;
}

static int none(const char *here, const char *dotenv, struct hxs_err *err)
{
	if (dotenv)
		(void)hxs_err_set(err, HXS_ENOSUCH,
				  "there is no configuration: no '%s', no "
				  "'" EVERYWHERE "' and no '%s'",
				  here, dotenv);
	else
		(void)hxs_err_set(err, HXS_ENOSUCH,
				  "there is no configuration: no '%s' and no "
				  "'" EVERYWHERE "'",
				  here);
	hxs_err_hint(err, "name one with --config or in $" VARIABLE);
	return -HXS_ENOSUCH;
}

int hxs_settings_load_from(const char *dir, const char *env,
			   struct hxs_config **out, struct hxs_err *err)
{
	HXS_AUTO_FREE char *here = NULL, *dotenv = NULL;
	int r;

	if (asprintf(&here, "%s/" HERE, dir) < 0) {
		here = NULL;
		return hxs_err_errno(err, ENOMEM,
				     "cannot look for a configuration");
	}
	if (env && hxs_path_is_name(env) &&
	    asprintf(&dotenv, "%s/.env.%s", dir, env) < 0) {
		dotenv = NULL;
		return hxs_err_errno(err, ENOMEM,
				     "cannot look for a configuration");
	}
	r = load_json(here, env, out, err);
	if (r == 0)
		r = load_json(EVERYWHERE, env, out, err);
	if (r == 0 && dotenv)
		r = load_env(dotenv, env, out, err);
	if (r == 0)
		return none(here, dotenv, err);
	return r < 0 ? r : 0;
}

int hxs_settings_load(const char *file, const char *env,
		      struct hxs_config **out, struct hxs_err *err)
{
	int r;

	if (!file) {
		file = getenv(VARIABLE);
		if (file && file[0] == '\0')
			file = NULL;
	}
	if (file) {
		/* What was named is meant: nothing else will do. */
		r = load_json(file, env, out, err);
		if (r == 0)
			return hxs_err_set(err, HXS_ENOSUCH,
					   "there is no configuration '%s'",
					   file);
		return r < 0 ? r : 0;
	}
	return hxs_settings_load_from(".", env, out, err);
}
