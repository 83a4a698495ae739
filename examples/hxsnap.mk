# Two targets for a project's Makefile (`include hxsnap.mk`), to be used in
# the directory where its hxsnap.json or .env files lie:
#
#	make backup ENV=dev
#	make restore ENV=dev BACKUP=ID
#	BACKUP_ROOT=data/rollbacks/dev make restore ENV=dev BACKUP=ID
#
# backup prints the id of the backup, restore that of the rollback point, and
# nothing else on standard output (with `make -C`, add -s). BACKUP_ROOT names
# the directory that holds the ids: STORE/backups/ENV or STORE/rollbacks/ENV.
# An environment that wants confirmation asks at a terminal; elsewhere
# CONFIRM_LIVE=YES has to be set.

HXSNAP ?= hxsnap

.PHONY: backup restore

# One word for the shell, whatever is in it.
hxsnap_word = '$(subst ','\'',$(1))'

backup: ## make a backup of ENV, print its id
	@env=$(call hxsnap_word,$(ENV)); \
	[ -n "$$env" ] || { echo 'make backup wants ENV=...' >&2; exit 2; }; \
	exec $(HXSNAP) create -- "$$env"

restore: ## bring ENV back to BACKUP (in BACKUP_ROOT), print the rollback id
	@env=$(call hxsnap_word,$(ENV)); id=$(call hxsnap_word,$(BACKUP)); \
	root=$(call hxsnap_word,$(BACKUP_ROOT)); \
	[ -n "$$env" ] && [ -n "$$id" ] || \
		{ echo 'make restore wants ENV=... BACKUP=ID' >&2; exit 2; }; \
	[ -n "$$root" ] || exec $(HXSNAP) restore -- "$$env/$$id"; \
	dir=$$(CDPATH= cd -- "$$root" && pwd -P) || exit; \
	store=$${dir%/*/*}; \
	case $$dir in \
	*/backups/"$$env") ref=$$env/$$id ;; \
	*/rollbacks/"$$env") ref=$$env/.rollbacks/$$id ;; \
	*)	printf "BACKUP_ROOT: '%s' is not a store's %s or %s\n" \
			"$$root" "backups/$$env" "rollbacks/$$env" >&2; \
		exit 2 ;; \
	esac; \
	exec $(HXSNAP) --store "$${store:-/}" restore -- "$$ref"
