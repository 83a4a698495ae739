#!/bin/sh
# state.sh LETTER DIR: put into DIR what the application has in this state, a log
# of JSON lines and a database. States differ in every file and record, but
# neither in how many there are nor in how large: a restore of any of them
# makes the same calls. Runs where the image is made, and in the machine.
set -eu
state=$1
cd "$2"

rm -rf events memory.db
mkdir events
awk -v state="$state" 'BEGIN {
	for (file = 0; file < 40; file++) {
		name = sprintf("events/%03d.jsonl", file)
		for (n = 0; n < 250; n++)
			printf "{\"state\": \"%s\", \"seq\": %d}\n",
				state, 100000 + file * 250 + n >name
		close(name)
	}
}'
sqlite3 memory.db "CREATE TABLE memory(state TEXT, n INTEGER);
	WITH RECURSIVE count(n) AS
		(SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 5000)
	INSERT INTO memory SELECT '$state', n FROM count;"
