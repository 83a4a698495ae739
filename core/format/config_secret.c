/*
 * Names that say secret. A name taken for one by mistake costs a word in the
 * configuration; one passed over by mistake lies in every snapshot. So the
 * list is long, and most of it is looked for anywhere in the name.
 */
#include "format/config_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const anywhere[] = {
	"key",
	"token",
	"secret",
	"pass",
	"pwd",
	"credential",
	"creds",
	"private",
	"dsn",
	"auth",
	"bearer",
	"cookie",
	"salt",
	"signing",
	"signature",
	"hmac",
	"jwt",
	"mnemonic",
	"webhook",
	"connection_string",
	"connectionstring",
	"conn_str",
	"connstr",
	"database_url",
	"db_url",
	"redis_url",
	"mongo_url",
	"mongodb_uri",
	"amqp_url",
	"broker_url",
	"postgres_url",
	"database_uri",
	"db_uri",
};

/* Too short to be looked for inside words. */
static const char *const words[] = { "pw",  "pat",  "pin", "otp", "totp",
				     "pem", "seed", "sas", "psk", "cred" };

static bool is_word(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(words); i++)
		if (strlen(words[i]) == len &&
		    strncasecmp(s, words[i], len) == 0)
			return true;
	return false;
}

bool hxs_config_is_secret(const char *name)
{
	size_t i, n;

	for (i = 0; i < HXS_ARRAY_LEN(anywhere); i++)
		if (strcasestr(name, anywhere[i]))
			return true;
	for (; *name; name += n) {
		for (n = 0; isalnum((unsigned char)name[n]); n++)
			;
		if (is_word(name, n))
			return true;
		n += n == 0;
	}
	return false;
}

bool hxs_config_has_password(const char *value)
{
	const char *s = value, *colon;
	size_t n;

	if (strcasestr(value, "password=") || strcasestr(value, "passwd=") ||
	    strcasestr(value, "pwd="))
		return true;
	while ((s = strstr(s, "://")) != NULL) {
		s += 3;
		n = strcspn(s, " \t\r\n"); /* some have a slash in it */
		colon = memchr(s, ':', n);
		if (colon && memchr(colon, '@', n - (size_t)(colon - s)))
			return true;
	}
	return false;
}

bool hxs_config_is_variable(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char c = s[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    c == '_')
			continue;
		if (i > 0 && c >= '0' && c <= '9')
			continue;
		return false;
	}
	return len > 0;
}
