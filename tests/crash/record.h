#ifndef HXS_CRASH_RECORD_H
#define HXS_CRASH_RECORD_H

#include <stdint.h>

/*
 * What the recorder writes and replay reads: this, then @len bytes if it is a
 * write or a mark.
 */
struct record {
	uint32_t what; /* RECORD_... */
	uint32_t disk; /* which of those on the command line, from 0 */
	uint64_t offset, len;
};

#define RECORD_WRITE 'W'
#define RECORD_FLUSH 'F' /* all writes before it have reached the disk */
#define RECORD_MARK 'M' /* what the test was about to do */

#endif
