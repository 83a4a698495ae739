#include "source/postgres_lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libpq.so.5"

#define ROW(member, name)                                            \
	{                                                            \
		offsetof(struct hxs_postgres_lib, member), "PQ" name \
	}
static const struct {
	size_t at;
	const char *name;
} wanted[] = {
	ROW(conninfo_parse, "conninfoParse"),
	ROW(conninfo_free, "conninfoFree"),
	ROW(connect_start, "connectStartParams"),
	ROW(connect_poll, "connectPoll"),
	ROW(finish, "finish"),
	ROW(status, "status"),
	ROW(socket, "socket"),
	ROW(error_message, "errorMessage"),
	ROW(server_version, "serverVersion"),
	ROW(set_notice_receiver, "setNoticeReceiver"),
	ROW(send_query, "sendQuery"),
	ROW(send_query_params, "sendQueryParams"),
	ROW(is_busy, "isBusy"),
	ROW(consume_input, "consumeInput"),
	ROW(get_result, "getResult"),
	ROW(get_cancel, "getCancel"),
	ROW(free_cancel, "freeCancel"),
	ROW(cancel, "cancel"),
	ROW(result_status, "resultStatus"),
	ROW(result_error_field, "resultErrorField"),
	ROW(clear, "clear"),
	ROW(ntuples, "ntuples"),
	ROW(getvalue, "getvalue"),
	ROW(getisnull, "getisnull"),
	ROW(cmd_tuples, "cmdTuples"),
	ROW(escape_identifier, "escapeIdentifier"),
	ROW(escape_literal, "escapeLiteral"),
	ROW(freemem, "freemem"),
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hxs_postgres_lib lib; /* guarded by lock until loaded */
static void *handle; /* likewise; NULL: not loaded */

static int load(struct hxs_err *err)
{
	void *found, *symbol;
	size_t i;
	int r;

	found = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!found) {
		r = hxs_err_set(err, ENOENT,
				"cannot load PostgreSQL's library '%s'",
				LIBRARY);
		hxs_err_hint(err, "install the packages libpq5 and "
				  "postgresql-client");
		return r;
	}
	for (i = 0; i < HXS_ARRAY_LEN(wanted); i++) {
		symbol = dlsym(found, wanted[i].name);
		if (!symbol) {
			(void)dlclose(found); /* nothing was made of it */
			return hxs_err_set(err, ENOENT,
					   "PostgreSQL's library '%s' has no "
					   "'%s'",
					   LIBRARY, wanted[i].name);
		}
		memcpy((char *)&lib + wanted[i].at, &symbol, sizeof(symbol));
	}
	handle = found;
	return 0;
}

int hxs_postgres_lib(const struct hxs_postgres_lib **out, struct hxs_err *err)
{
	int r = 0;

	(void)pthread_mutex_lock(&lock); /* it is no other kind that fails */
	if (!handle)
		r = load(err);
	(void)pthread_mutex_unlock(&lock);
	if (r == 0)
		*out = &lib;
	return r;
}
