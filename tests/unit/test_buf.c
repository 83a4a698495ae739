#include "base/buf.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <stdint.h>

static void test_growth(void)
{
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	size_t i;
	bool same = true;

	is_str(hxs_buf_str(&b), "", "an empty buffer is an empty string");
	is_int(hxs_buf_status(&b), 0, "and has no failure");
	for (i = 0; i < 100000; i++)
		same = hxs_buf_putc(&b, (char)('a' + i % 26)) == 0 &&
		       b.data[b.len] == '\0' && same;
	ok(same, "always NUL-terminated");
	is_int((long long)b.len, 100000, "every byte is in");
	for (i = 0; i < b.len; i++)
		same = same && b.data[i] == (char)('a' + i % 26);
	ok(same, "and the right one");

	hxs_buf_truncate(&b, 3);
	is_str(hxs_buf_str(&b), "abc", "truncate cuts");
	hxs_buf_truncate(&b, 10);
	is_str(hxs_buf_str(&b), "abc", "truncate never grows");
	is_int(hxs_buf_append(&b, "\0x", 2), 0, "a NUL is a byte");
	is_int((long long)b.len, 5, "and counts");
	is_int(hxs_buf_append(&b, NULL, 0), 0, "nothing may be appended");
}

static void test_printf(void)
{
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	char want[1001];

	is_int(hxs_buf_printf(&b, "%d-%s", 7, "x"), 0, "printf");
	is_str(hxs_buf_str(&b), "7-x", "its text");
	hxs_buf_truncate(&b, 0);
	memset(want, ' ', 999);
	want[999] = '5';
	want[1000] = '\0';
	is_int(hxs_buf_printf(&b, "%1000d", 5), 0, "longer than the room");
	is_str(hxs_buf_str(&b), want, "its text");
	hxs_buf_truncate(&b, 0);
	/* Every length around a capacity. */
	for (int n = 1; n < 300; n++) {
		HXS_AUTO_BUF struct hxs_buf each = HXS_BUF_INIT;

		if (hxs_buf_printf(&each, "%*d", n, 1) < 0 ||
		    each.len != (size_t)n || each.data[n - 1] != '1')
			ok(false, "printf of %d bytes", n);
	}
}

static void test_failure(void)
{
	struct hxs_buf b = HXS_BUF_INIT;
	size_t len = 77;

	(void)hxs_buf_puts(&b, "kept");
	is_int(hxs_buf_reserve(&b, SIZE_MAX), -ENOMEM, "too much room");
	is_int(hxs_buf_reserve(&b, SIZE_MAX - 4), -ENOMEM, "for the NUL too");
	is_str(hxs_buf_str(&b), "kept", "what was there stays");
	is_int(hxs_buf_puts(&b, "x"), -ENOMEM, "puts fails from then on");
	is_int(hxs_buf_printf(&b, "x"), -ENOMEM, "printf fails from then on");
	is_int(hxs_buf_putc(&b, 'x'), -ENOMEM, "putc fails from then on");
	is_int(hxs_buf_status(&b), -ENOMEM, "the status says it");
	ok(hxs_buf_steal(&b, &len) == NULL && len == 77,
	   "half a text is not given away");
	is_int(hxs_buf_status(&b), 0, "afterwards it is as new");
	is_int(hxs_buf_puts(&b, "again"), 0, "and works");
	hxs_buf_release(&b);
	hxs_buf_release(&b);
	ok(b.data == NULL && b.len == 0, "release twice");
}

static void test_steal(void)
{
	struct hxs_buf b = HXS_BUF_INIT;
	size_t len = 9;
	char *s;

	s = hxs_buf_steal(&b, &len);
	is_str(s, "", "an empty buffer gives an empty string");
	is_int((long long)len, 0, "of no length");
	free(s);
	(void)hxs_buf_puts(&b, "mine");
	s = hxs_buf_steal(&b, NULL);
	is_str(s, "mine", "steal gives the text");
	ok(b.data == NULL, "and leaves nothing");
	free(s);
}

int main(void)
{
	test_growth();
	test_printf();
	test_failure();
	test_steal();
	return tap_done();
}
