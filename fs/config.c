#include "fs/config.h"

#include "store/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* It must be of the store that is mounted: by identity, not by name. */
static int check_store(const struct hxfs *fs, const struct hxs_config *config,
		       struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat want, got;

	fd = open(config->store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return hxs_err_errno(err, errno,
				     "cannot open '%s', the store of "
				     "configuration '%s'",
				     config->store, config->file);
	if (fstat(fd, &got) < 0 || fstat(hxs_store_fd(fs->store), &want))
		return hxs_err_errno(err, errno, "cannot look at the store");
	if (got.st_dev == want.st_dev && got.st_ino == want.st_ino)
		return 0;
	return hxs_err_set(err, HXS_EUSAGE,
			   "configuration '%s' is of the store '%s', and '%s' "
			   "is mounted",
			   config->file, config->store,
			   hxs_store_path(fs->store));
}

int hxfs_config_load(const struct hxfs *fs, const char *env,
		     struct hxs_config **out, struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	const struct hxfs_options *opt = fs->opt;
	int r;

	if (opt->config)
		r = hxs_settings_load(opt->config, env, &config, err);
	else
		r = hxs_settings_load_from(opt->start ? opt->start : "/", env,
					   &config, err);
	if (r == -HXS_ENOSUCH)
		hxs_err_hint(err, "mount with config=FILE");
	if (r == 0)
		r = check_store(fs, config, err);
	if (r == 0)
		*out = HXS_STEAL(config);
	return r;
}
