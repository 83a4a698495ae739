# Reads what `nthcall -l -m` tells of a restore or a recovery, and asks for each
# call that makes something durable: which promise breaks without it, on a
# file system that keeps no more than POSIX says? There an fsync takes one file
# or one directory, and only syncfs takes all; no log brings the rest along.
#
#   -v root=DIR	the disks are directories in it, DIR/main and DIR/side
#
# The promises, by when things are durable:
#
#   a record of the journal	all before it, when it gets its name; and its
#				name, before anything else is changed
#   a snapshot's name		all before it, when it is published
#   the end of the journal	all before it
#   the end			everything
#
# Prints 'whole' or 'broken: ...' for the run as it was; then 'K needed: CALL:
# promise' or 'K spare: CALL' for each call K. What is staged is removed in the
# end: how far that came need not be durable, only its name is to be gone.

function disk_of(path) {
	path = substr(path, length(root) + 2)
	sub(/\/.*/, "", path)
	return path
}

function is_journal(path) {
	return path ~ /\/\.hxsnap\/journal$/
}

# What is not durable, except apart. The record's temporary file matters to the
# record alone, a half snapshot to what may still complete it.
function first_dirty(what, except,   p) {
	for (p in dirty) {
		if (p == except || what != "a record" && p ~ /\/\.tmp-/ ||
		    what ~ /^the end/ && p ~ /\/\.new-/)
			continue
		return p
	}
	return ""
}

function promise(what, except,   p) {
	p = first_dirty(what, except)
	if (p != "" && broken == "")
		broken = what ", and " substr(p, length(root) + 2)
}

function change(path) {
	if (journal != "" && (journal in dirty) && broken == "")
		broken = "the record's name, and a change after it"
	dirty[path] = 1
}

function sync_all(path,   p) {
	for (p in dirty)
		if (disk_of(p) == disk_of(path))
			delete dirty[p]
}

# What is staged goes, or what of it is in that directory.
function forget(dir,   p) {
	for (p in dirty)
		if (index(p, dir) == 1 && p ~ /\/\.(hxsnap|new)-/)
			delete dirty[p]
}

function remove(i, dir) {
	if (is_journal(dir)) {
		# The temporary file of one that was killed; then comes another.
		if (call[i + 1] == "openat" && is_journal(from[i + 1]))
			return
		promise("the end of the journal", "")
		dirty[dir] = 1
		return
	}
	forget(dir)
	# Half a snapshot is removed again, by whoever sees it.
	if (dir !~ /\/\.hxsnap-/ && dir !~ /\/(backups|rollbacks)(\/|$)/)
		change(dir)
}

# Call i, unless that is the one left out.
function play(i,   c, f, t) {
	c = call[i]
	f = from[i]
	t = to[i]
	if (i == without || index(f, root "/main/") + index(f, root "/side/") == 0)
		return
	if (c == "fsync" || c == "fdatasync") {
		delete dirty[f]
	} else if (c == "syncfs") {
		sync_all(f)
	} else if (c == "unlinkat") {
		remove(i, f)
	} else if (c ~ /^rename/ && is_journal(f)) {
		promise("a record", f)
		dirty[f] = 1
		journal = f
	} else if (c ~ /^rename/ && f == t && f ~ /\/rollbacks\/[^\/]*$/) {
		promise("a snapshot", "")
		dirty[f] = 1
	} else if (c != "mkdirat" && !is_journal(f) && f !~ /\/locks\//) {
		# A mkdirat that makes something is followed by an fchmodat.
		change(f)
		if (t != "")
			change(t)
	}
}

function run(   i) {
	split("", dirty)
	broken = journal = ""
	for (i = 1; i <= count; i++)
		play(i)
	promise("the end", "")
	return broken
}

/^nthcall: [0-9]+: [a-z0-9_]+ '/ {
	count++
	call[count] = $3
	split($0, part, "'")
	from[count] = part[2]
	to[count] = part[4]
}

END {
	without = 0
	name = run()
	print (name == "" ? "whole" : "broken: " name)
	for (k = 1; k <= count; k++) {
		if (call[k] !~ /sync/)
			continue
		without = k
		n++
		name = call[k] " " substr(from[k], length(root) + 2)
		if (run() != "")
			print n " needed: " name ": " broken
		else
			print n " spare: " name
	}
}
