#ifndef HXS_SOURCE_POSTGRES_LIB_H
#define HXS_SOURCE_POSTGRES_LIB_H

/*
 * PostgreSQL's client library, loaded when a database is first asked for:
 * being linked with it would cost every start some milliseconds, and would
 * make everybody install it.
 */
#include "base/err.h"

#include <postgresql/libpq-fe.h>

struct hxs_postgres_lib {
	__typeof__(PQconninfoParse) *conninfo_parse;
	__typeof__(PQconninfoFree) *conninfo_free;
	__typeof__(PQconnectStartParams) *connect_start;
	__typeof__(PQconnectPoll) *connect_poll;
	__typeof__(PQfinish) *finish;
	__typeof__(PQstatus) *status;
	__typeof__(PQsocket) *socket;
	__typeof__(PQerrorMessage) *error_message;
	__typeof__(PQserverVersion) *server_version;
	__typeof__(PQsetNoticeReceiver) *set_notice_receiver;
	__typeof__(PQsendQuery) *send_query;
	__typeof__(PQsendQueryParams) *send_query_params;
	__typeof__(PQisBusy) *is_busy;
	__typeof__(PQconsumeInput) *consume_input;
	__typeof__(PQgetResult) *get_result;
	__typeof__(PQgetCancel) *get_cancel;
	__typeof__(PQfreeCancel) *free_cancel;
	__typeof__(PQcancel) *cancel;
	__typeof__(PQresultStatus) *result_status;
	__typeof__(PQresultErrorField) *result_error_field;
	__typeof__(PQclear) *clear;
	__typeof__(PQntuples) *ntuples;
	__typeof__(PQgetvalue) *getvalue;
	__typeof__(PQgetisnull) *getisnull;
	__typeof__(PQcmdTuples) *cmd_tuples;
	__typeof__(PQescapeIdentifier) *escape_identifier;
	__typeof__(PQescapeLiteral) *escape_literal;
	__typeof__(PQfreemem) *freemem;
};

/* The library; it stays. -ENOENT with what to install when it is missing. */
HXS_MUST_CHECK
int hxs_postgres_lib(const struct hxs_postgres_lib **out, struct hxs_err *err);

#endif
