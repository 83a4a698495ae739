#ifndef HXS_FORMAT_CONFIG_INTERNAL_H
#define HXS_FORMAT_CONFIG_INTERNAL_H

/* What the files config*.c share. */
#include "base/json.h"
#include "format/config.h"

/* Where something lies, and what a message calls it. Both borrowed. */
struct hxs_config_place {
	const char *path; /* absolute, as hxs_config_resolve() makes it */
	const char *what;
};

/*
 * Make @path, counted from the absolute directory @base, absolute and plain:
 * single slashes, no ".", no slash at the end. 0 with *@out the caller's,
 * -ENOMEM, or -EINVAL with what is wrong in *@fault. The path itself never
 * gets into a message: beside secrets in one file stand other secrets.
 */
HXS_MUST_CHECK
int hxs_config_resolve(const char *base, const char *path, char **out,
		       const char **fault);

/* -HXS_EUSAGE if two of @places are one or nested. Sorts @places. */
HXS_MUST_CHECK
int hxs_config_apart(struct hxs_config_place *places, size_t count,
		     struct hxs_err *err);

/* Reads the assignments of a .env file one after the other. */
struct hxs_config_dotenv {
	const char *at, *end;
	size_t line; /* of what stands at @at */
	const char *file;
	struct hxs_err *err;
	/* the assignment found last; the key is borrowed from the text */
	const char *key;
	size_t key_len, key_line;
	struct hxs_buf value;
};

/* All but @r are borrowed until hxs_config_dotenv_release(). */
void hxs_config_dotenv_init(struct hxs_config_dotenv *r, const char *text,
			    size_t len, const char *file, struct hxs_err *err);
void hxs_config_dotenv_release(struct hxs_config_dotenv *r);

/* 1 with key and value set, 0 at the end, -HXS_EUSAGE naming the line. */
HXS_MUST_CHECK
int hxs_config_dotenv_next(struct hxs_config_dotenv *r);

/* Whether @s is a variable's name: [A-Za-z_][A-Za-z0-9_]*. */
bool hxs_config_is_variable(const char *s, size_t len);

/* Refuse @v, or its member @key (NULL: itself), because of @what. */
int hxs_config_refuse(const struct hxs_json *v, const char *key,
		      const char *what, struct hxs_err *err);

/* Member @key of @v, of type @type: -HXS_EUSAGE if it is missing or not. */
HXS_MUST_CHECK
int hxs_config_want(const struct hxs_json *v, const char *key,
		    enum hxs_json_type type, const struct hxs_json **out,
		    struct hxs_err *err);

/* A string that is not empty. */
HXS_MUST_CHECK
int hxs_config_text(const struct hxs_json *v, const char **out,
		    struct hxs_err *err);

/* What @v asks for, and what holds where it says nothing: into @env. */
HXS_MUST_CHECK
int hxs_config_parse_objectives(const struct hxs_json *v,
				struct hxs_config_env *env,
				struct hxs_err *err);

/* What source @v says of the system it lives on: into @out, its owner's. */
HXS_MUST_CHECK
int hxs_config_parse_postgres(const struct hxs_json *v,
			      struct hxs_config_postgres *out,
			      struct hxs_err *err);
HXS_MUST_CHECK
int hxs_config_parse_command(const struct hxs_json *v,
			     struct hxs_config_command *out,
			     struct hxs_err *err);

/* How long snapshots of @env stay; it owns what there is in any case. */
HXS_MUST_CHECK
int hxs_config_parse_retention(const struct hxs_json *v,
			       struct hxs_config_env *env, struct hxs_err *err);
void hxs_config_release_retention(struct hxs_config_env *env);

/* What environment @v may have besides its sources: into @env. */
HXS_MUST_CHECK
int hxs_config_parse_options(const struct hxs_json *v,
			     struct hxs_config_env *env, struct hxs_err *err);

/* How long a program may take, more than 0 and at most a day. */
HXS_MUST_CHECK
int hxs_config_limit(const struct hxs_json *v, unsigned *ms,
		     struct hxs_err *err);

/* An argument list, or another list of texts: not empty, nor any of them. */
HXS_MUST_CHECK
int hxs_config_check_texts(const struct hxs_json *v, struct hxs_err *err);

/* How many members or elements @v has. */
size_t hxs_config_count(const struct hxs_json *v);

/*
 * The texts of list @v, none of them empty, and a NULL: the caller's, whatever
 * is returned. *@count (may be NULL) is how many there are.
 */
HXS_MUST_CHECK
int hxs_config_take_texts(const struct hxs_json *v, char ***out, size_t *count,
			  struct hxs_err *err);

/* The hooks of @env, which owns what there is whatever is returned. */
HXS_MUST_CHECK
int hxs_config_parse_hooks(const struct hxs_json *v, struct hxs_config_env *env,
			   struct hxs_err *err);
void hxs_config_release_hooks(struct hxs_config_env *env);

#endif
