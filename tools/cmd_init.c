#include "tools/cmd.h"
#include "tools/out.h"

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	const char *path;
	int r;

	r = hxs_args_words(tool->args, 0, 1, "", err);
	if (r < 0)
		return r;
	path = tool->args->word_count ? tool->args->word[0]
				      : hxs_args_value(tool->args, "store");
	if (!path) {
		r = hxs_tool_config(tool, NULL, &config, err);
		if (r == -HXS_ENOSUCH)
			hxs_err_hint(err, "name the directory: "
					  "'" HXS_TOOL_NAME " init DIR'");
		if (r < 0)
			return r;
		path = config->store;
	}
	r = hxs_store_init(path, false, err);
	if (r == 0 && !tool->quiet)
		hxs_out_talk("'%s' is a store", path);
	return r;
}

const struct hxs_cmd hxs_cmd_init = {
	.name = "init",
	.synopsis = "[DIR]",
	.summary = "make an empty directory a store",
	.text = "DIR is the configuration's store unless it is given. It is "
		"made if only its\nlast component is missing. A directory that "
		"holds anything else is refused;\none that is a store already "
		"is left as it is.\n",
	.run = run,
};
