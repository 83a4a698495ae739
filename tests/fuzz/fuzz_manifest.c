/* What is taken is sound, and written again it is the same manifest. */
#include "base/path.h"
#include "format/manifest.h"
#include "tests/fuzz/fuzz.h"

static void render(const struct hxs_manifest *m, struct hxs_buf *out)
{
	const struct hxs_manifest_line *line;
	size_t i;

	for (i = 0; i < hxs_manifest_count(m); i++) {
		line = hxs_manifest_line(m, i);
		hxs_manifest_append(out, &line->digest, line->path,
				    line->path_len);
	}
}

static void check_line(const struct hxs_manifest *m, size_t i)
{
	const struct hxs_manifest_line *line = hxs_manifest_line(m, i);
	const struct hxs_manifest_line *before;
	const char *slash = line->path;

	must(strlen(line->path) == line->path_len);
	must(!hxs_path_fault(line->path, line->path_len));
	must(strcmp(line->path, HXS_MANIFEST_NAME) != 0);
	must(line->number >= 1 && line->number <= hxs_manifest_count(m));
	must(hxs_manifest_find(m, line->path) == line);
	if (i > 0) {
		before = hxs_manifest_line(m, i - 1);
		must(strcmp(before->path, line->path) < 0);
	}
	/* none of the directories it lies in is a file */
	while ((slash = strchr(slash, '/')) != NULL) {
		char *dir = strndup(line->path, (size_t)(slash - line->path));

		must(!dir || !hxs_manifest_find(m, dir));
		free(dir);
		slash++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
	HXS_AUTO(manifest) struct hxs_manifest *again = NULL;
	HXS_AUTO_BUF struct hxs_buf once = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf twice = HXS_BUF_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	size_t i;
	int r = hxs_manifest_parse(data, size, &m, &err);

	if (r < 0) {
		must(!m);
		must_explain(r, -HXS_ECORRUPT, &err);
		return 0;
	}
	must(hxs_manifest_count(m) > 0);
	for (i = 0; i < hxs_manifest_count(m); i++)
		check_line(m, i);
	render(m, &once);
	must(once.len <= size);
	must(hxs_manifest_parse(once.data, once.len, &again, &err) == 0);
	render(again, &twice);
	must(once.len == twice.len &&
	     memcmp(once.data, twice.data, once.len) == 0);
	return 0;
}
