# shellcheck shell=sh
#
# What tests of a mount's .control share. To be read after lib.sh.

# reply CONDITION [DIR]: jq holds for what .control says.
reply() {
	jq -e "$1" "${2:-mnt}/.control" >/dev/null || {
		cat "${2:-mnt}/.control"
		return 1
	}
}

# say TEXT [FILE]: by a program that prints why it failed.
say() {
	/bin/echo "$1" >"${2:-mnt/.control}"
}
