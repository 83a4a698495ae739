#!/bin/sh
test_description='completion: what the shells offer'
. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq BASH 'bash' 'bash -c "complete -F x y"'
test_lazy_prereq ZSH 'zsh' 'zsh -c "autoload -U compinit"'
test_lazy_prereq FISH 'fish' 'fish -c "complete -C ls"'

# offers WORD...: the candidates for the last word, sorted, a line.
offers() {
	hxsnap complete -- "$@" >.offers && cut -f 1 .offers | sort | tr "\n" " "
}

# is WANT WORD...
is() {
	local want="$1"
	shift
	[ "$(offers "$@")" = "$want" ] || {
		echo "wanted '$want', got '$(offers "$@")' for: $*"
		return 1
	}
}

test_expect_success 'an environment, three backups, a rollback point' '
	new_env dev && mkdir -p "$EVENTS/2026/a b" && echo 1 >"$EVENTS/2026/x" &&
	echo 2 >"$STATE/s" && echo n >"$STATE/new
line" &&
	one=$(hxsnap -q create dev) && two=$(hxsnap -q create dev) &&
	hxsnap -q verify dev/latest && back=$(hxsnap -q restore dev/latest state)
'

test_expect_success 'commands are those of the help, with its words' '
	hxsnap -h | sed -n "/^commands:/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1	\2/p" >want &&
	hxsnap complete -- "" >got && test_cmp want got &&
	test_grep ! complete got &&
	is "create " cre && is "" nothing-of-the-kind &&
	is "rollback " help rollb
'

test_expect_success 'options are those of the command, and of all' '
	for cmd in $(hxsnap complete -- "" | cut -f 1); do
		hxsnap "$cmd" -h | sed -n "s/^  [ -].. *\(--[a-z-]*\).*/\1/p" |
			sort >want &&
		hxsnap complete -- "$cmd" - | cut -f 1 | tr -d = | sort >got &&
		test_cmp want got || return 1
	done &&
	is "--tag= " create dev --ta && is "" list --ta && is "--store= " --st &&
	is "" create dev --tag x && is "" create dev -- --ta
'

test_expect_success 'environments, configured or in the store' '
	mkdir -p "$STORE/backups/old" &&
	is "dev old " create "" && is "dev old " list "" &&
	is "dev old " log "" && is "dev " rollback d &&
	is "" create dev "" && is "dev " --store "$STORE" list d &&
	is "dev " "--store=$STORE" --config /nowhere list d &&
	is "" --store /nowhere list ""
'

test_expect_success 'references, the newest first' '
	is "dev/ old/ " show "" && is "dev dev/ " verify d &&
	hxsnap complete -- show dev/ | cut -f 1 >got &&
	printf "dev/%s\n" latest latest-verified "$two" "$one" >want &&
	test_cmp want got &&
	is "dev/$two " show "dev/$two" && is "dev/ " diff dev/latest d &&
	is "" diff dev/latest dev/latest d &&
	is "dev/.rollbacks/$back dev/.rollbacks/latest " show dev/. &&
	is "" show ../ && is "" show nosuch/x
'

test_expect_success 'paths in the snapshot that is named' '
	is "events/ state/ " restore dev/latest "" &&
	is "events/2026/ " restore dev/latest events/ &&
	is "events/2026/a b/ events/2026/x " restore "dev/$one" events/2026/ &&
	is "events/2026/x " restore dev/latest state events events/2026/x &&
	is "events/ state/ " restore "dev/.rollbacks/$back" "" &&
	is "events/ state/ " log dev "" && is "" log nosuch "" &&
	is "state/s " log dev state/ && is "" restore dev/2099 ""
'

test_expect_success 'files and directories are left to the shell' '
	is ":DIR " --store "" && is ":FILE " --config=x && is ":DIR " init "" &&
	is ":DIR " restore dev/latest --to "" && is "" restore dev/latest --until ""
'

test_expect_success 'it changes nothing, and fails quietly' '
	find "$STORE" -newer want -type f >before &&
	mkdir empty && (cd empty && unset HXSNAP_CONFIG && : >../err &&
		for words in "show dev/" "list x" "restore a b" "log a b/"; do
			# shellcheck disable=SC2086 # several words
			hxsnap complete -- $words 2>>../err || return 1
		done) >out &&
	test_line_count 0 err && test_line_count 0 out &&
	find "$STORE" -newer want -type f >after && test_cmp before after
'

# ---------------------------------------------------------------------------
# The shells themselves, interactive, at a terminal.

cat >bashrc <<END
. "$HXS_SRC/completion/hxsnap.bash"
PS1='READY> '
show_words() { echo "[words]"; printf '%s\n' "\$@"; echo "[end]"; }
END
cat >.zshrc <<END
fpath=("$HXS_SRC/completion" \$fpath)
autoload -Uz compinit
compinit -u -d "$TRASH/zdump"
PS1='READY> '
bindkey -e
show_words() { echo "[words]"; printf '%s\n' "\$@"; echo "[end]"; }
END

# typed SHELL LINE WORD...: LINE and a TAB become these words, after hxsnap.
# (A slash at the end may go when the line is done: zsh adds it as a help.)
typed() {
	local shell="$1" line="$2" rc="$TRASH/bashrc"
	shift 2
	[ "$shell" != zsh ] || rc=$TRASH/.zshrc
	printf "%s\n" hxsnap "$@" | sed "s,/$,," >want &&
		typing.py "$shell" "$rc" "hxsnap $line" >got.raw &&
		sed "s,/$,," got.raw >got && test_cmp want got
}

# each SHELL
each() {
	typed "$1" "cre" create &&
		typed "$1" "verify --al" verify --all &&
		typed "$1" "create dev --ta" create dev --tag= &&
		typed "$1" "show o" show old/ &&
		typed "$1" "show dev/$one" show "dev/$one" &&
		typed "$1" "list ol" list old &&
		typed "$1" "restore dev/latest events/2026/a" \
			restore dev/latest "events/2026/a b/" &&
		typed "$1" "restore dev/latest state events/2026/x" \
			restore dev/latest state events/2026/x &&
		typed "$1" "--config hxsnap.j" --config hxsnap.json &&
		typed "$1" "--config=hxsnap.j" --config=hxsnap.json &&
		typed "$1" "--store=sto" --store=store/ &&
		typed "$1" "list --store ~/sto" list --store "$HOME/store/"
}

test_expect_success BASH 'bash' 'each bash'
test_expect_success ZSH 'zsh' 'each zsh'

# fish tells candidates without a terminal.
fishes() { # LINE, then what follows from it, sorted
	local line="$1"
	shift
	printf "%s\n" "$@" >want &&
		fish --no-config -c "source $HXS_SRC/completion/hxsnap.fish
			complete -C '$line'" | cut -f 1 | sort >got &&
		test_cmp want got
}
test_expect_success FISH 'fish' '
	fishes "hxsnap cre" create &&
	fishes "hxsnap show " dev/ old/ &&
	fishes "hxsnap create dev --ta" --tag= &&
	fishes "hxsnap restore dev/latest events/2026/" "events/2026/a b/" events/2026/x &&
	fishes "hxsnap --config hxsnap.j" hxsnap.json &&
	fishes "hxsnap --store=$TRASH/sto" "--store=$TRASH/store/" &&
	fish --no-config -c "source $HXS_SRC/completion/hxsnap.fish
		complete -C \"hxsnap lis\"" >got &&
	grep -x "list	list the snapshots there are, oldest first" got
'

test_done
