/*
 * A main() for a fuzz target without libFuzzer: every file of its corpus,
 * and every input that ever broke it, read once, as a TAP test. Arguments
 * name other files or directories.
 */
#include "tests/lib/tap.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_file(const char *path)
{
	size_t len = 0;
	struct stat st;
	char *data;
	FILE *f;

	f = fopen(path, "rbe");
	if (!f || fstat(fileno(f), &st) < 0) {
		ok(false, "cannot open %s", path);
		if (f)
			(void)fclose(f);
		return;
	}
	/* Exactly as long as the input, so that reading past it is seen. */
	data = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (data)
		len = fread(data, 1, (size_t)st.st_size, f);
	(void)fclose(f);
	if (!data || len != (size_t)st.st_size)
		ok(false, "cannot read %s", path);
	else
		ok(LLVMFuzzerTestOneInput((const uint8_t *)data, len) == 0,
		   "%s", path);
	free(data);
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void try_path(const char *path)
{
	struct dirent **names;
	int i, n;

	n = scandir(path, &names, visible, alphasort);
	if (n < 0) {
		try_file(path);
		return;
	}
	for (i = 0; i < n; i++) {
		char file[4096];

		(void)snprintf(file, sizeof(file), "%s/%s", path,
			       names[i]->d_name);
		try_file(file);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	const char *src = getenv("HXS_SRC");
	static const uint8_t nothing[1];
	char corpus[4096];
	int i;

	name = name ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	ok(LLVMFuzzerTestOneInput(nothing, 0) == 0, "no byte at all");
	if (argc > 1) {
		for (i = 1; i < argc; i++)
			try_path(argv[i]);
		return tap_done();
	}
	(void)snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s",
		       src ? src : ".", name);
	try_path(corpus);
	return tap_done();
}
