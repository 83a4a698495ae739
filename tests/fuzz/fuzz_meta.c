/* meta.json: what was taken once is written and taken the same for ever. */
#include "base/path.h"
#include "format/meta.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HXS_AUTO_BUF struct hxs_buf once = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf twice = HXS_BUF_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_meta m, again;
	int64_t sec;
	int r = hxs_meta_parse((const char *)data, size, &m, &err);

	if (r < 0) {
		must(r == -HXS_ECORRUPT || r == -ENOMEM);
		must(err.code == r && err.message[0]);
		return 0;
	}
	must(hxs_path_is_name(m.env));
	must(hxs_clock_parse_id(m.id, &sec) == 0);
	must(!m.previous_id[0] || hxs_clock_parse_id(m.previous_id, &sec) == 0);
	hxs_meta_render(&m, &once);
	must(hxs_buf_status(&once) == 0);
	must(hxs_meta_parse(once.data, once.len, &again, &err) == 0);
	hxs_meta_render(&again, &twice);
	must(once.len == twice.len &&
	     memcmp(once.data, twice.data, once.len) == 0);
	must(m.source_count == again.source_count);
	must(m.tag_count == again.tag_count);
	must(m.warning_count == again.warning_count);
	must(m.created == again.created && m.kind == again.kind);
	hxs_meta_release(&again);
	hxs_meta_release(&m);
	return 0;
}
