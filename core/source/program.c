#include "source/program.h"

#include "base/path.h"
#include "format/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SAID_SHOWN 200 /* bytes of what one said that are told */
#define SECRET_LEAST 4 /* bytes; shorter ones are in every text */

static const char *const names[HXS_PROGRAM_VARIABLES] = {
	[HXS_PROGRAM_EVENT] = "HXSNAP_EVENT",
	[HXS_PROGRAM_ENV] = "HXSNAP_ENV",
	[HXS_PROGRAM_STORE] = "HXSNAP_STORE",
	[HXS_PROGRAM_OPERATION] = "HXSNAP_OPERATION",
	[HXS_PROGRAM_REFERENCE] = "HXSNAP_REFERENCE",
	[HXS_PROGRAM_ID] = "HXSNAP_ID",
	[HXS_PROGRAM_ROLLBACK_ID] = "HXSNAP_ROLLBACK_ID",
	[HXS_PROGRAM_SOURCE] = "HXSNAP_SOURCE",
	[HXS_PROGRAM_STATUS] = "HXSNAP_STATUS",
	[HXS_PROGRAM_MESSAGE] = "HXSNAP_MESSAGE",
	[HXS_PROGRAM_CONFIRM] = "CONFIRM_LIVE",
};

/* What begins so is for e->more to tell. */
static const char *const prefixes[] = { "HXSNAP_SCRATCH=", "HXSNAP_SOURCE_" };

void hxs_program_env_release(struct hxs_program_env *e)
{
	size_t i;

	for (i = 0; i < HXS_PROGRAM_VARIABLES; i++)
		free(e->own[i]);
	free(e->list);
}

/* Whether "NAME=value" is of one that is ours to set, or to leave out. */
static bool is_ours(const char *variable)
{
	size_t i, len;

	for (i = 0; i < HXS_ARRAY_LEN(prefixes); i++)
		if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	for (i = 0; i < HXS_PROGRAM_VARIABLES; i++) {
		len = strlen(names[i]);
		if (strncmp(variable, names[i], len) == 0 &&
		    variable[len] == '=')
			return true;
	}
	return false;
}

int hxs_program_env_fill(struct hxs_program_env *e,
			 const char *const value[HXS_PROGRAM_VARIABLES])
{
	size_t i, n = 0, more = 0;
	char **v;

	for (v = environ; v && *v; v++)
		n++;
	while (e->more && e->more[more])
		more++;
	e->list =
		calloc(n + more + HXS_PROGRAM_VARIABLES + 1, sizeof(*e->list));
	if (!e->list)
		return -ENOMEM;
	for (n = 0, v = environ; v && *v; v++)
		if (!is_ours(*v))
			e->list[n++] = *v;
	for (i = 0; i < HXS_PROGRAM_VARIABLES; i++) {
		if (!value[i] || !value[i][0])
			continue;
		if (asprintf(&e->own[i], "%s=%s", names[i], value[i]) < 0) {
			e->own[i] = NULL;
			return -ENOMEM;
		}
		e->list[n++] = e->own[i];
	}
	for (i = 0; i < more; i++)
		e->list[n++] = e->more[i];
	return 0;
}

/* ---- what it said ------------------------------------------------------ */

/* What of a word may be the secret itself: "token=x", "Authorization: X y". */
static const char *tail_of(const char *word)
{
	const char *s = word + strlen(word);

	while (s > word && !strchr("=: ", s[-1]))
		s--;
	return s;
}

static bool holds(const char *said, const char *word)
{
	return strlen(word) >= SECRET_LEAST && strstr(said, word);
}

/* Whether @said repeats a word that says secret, or comes after one. */
static bool repeats_secret(const char *said, const char *const *argv)
{
	bool after = false;
	size_t i;

	if (!argv[0])
		return false;
	for (i = 1; argv[i]; i++) {
		bool is = hxs_config_is_secret(argv[i]) ||
			  hxs_config_has_password(argv[i]);

		if (after && holds(said, argv[i]))
			return true;
		if (is && tail_of(argv[i]) != argv[i] &&
		    holds(said, tail_of(argv[i])))
			return true;
		after = is && argv[i][0] == '-';
	}
	return false;
}

void hxs_program_put_said(const char *const *argv, struct hxs_buf *said,
			  struct hxs_buf *out)
{
	size_t i;

	if (said->len == 0)
		return;
	(void)hxs_buf_puts(out, ": ");
	for (i = 0; i < said->len; i++) /* or it would end there */
		if (said->data[i] == '\0')
			said->data[i] = ' ';
	/* All of the line is looked at, and as much shown as one can read. */
	if (hxs_config_has_password(hxs_buf_str(said)))
		(void)hxs_buf_puts(out, "what it said holds a password");
	else if (repeats_secret(hxs_buf_str(said), argv))
		(void)hxs_buf_puts(out, "what it said holds a secret");
	else
		(void)hxs_path_show(out, said->data,
				    said->len < SAID_SHOWN ? said->len
							   : SAID_SHOWN);
}
