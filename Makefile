# hxsnap: build, test, install. `make help` lists the targets.
#
# Sources are found by pattern and header dependencies by the compiler, so a
# new file needs no change here. Nothing outside a recipe runs a program that
# a minimal machine lacks: pkg-config is asked when the first object that
# needs it is compiled, after the packages have been looked at.

VERSION = 0.1.0

# asan (address and undefined behaviour), tsan (threads), or empty
SAN =
# directory of everything that is built
B = build$(if $(SAN),-$(SAN))
# which tests: a folder (fuse), a file (t0020-x.sh), a unit (unit/json), or
# several of them
T =
# 1: warnings are errors
WERROR =
# how long `make fuzz` tries each parser, in seconds
FUZZ_SECONDS ?= 20

PREFIX ?= /usr/local
DESTDIR ?=
bindir = $(PREFIX)/bin
mandir = $(PREFIX)/share/man
# where the shells look for completions
bashcompdir = $(PREFIX)/share/bash-completion/completions
zshcompdir = $(PREFIX)/share/zsh/site-functions
fishcompdir = $(PREFIX)/share/fish/vendor_completions.d
unitdir = $(PREFIX)/lib/systemd/system
docdir = $(PREFIX)/share/doc/hxsnap
# where make(1) looks for what a makefile includes
includedir = $(PREFIX)/include

ifeq ($(origin CC),default)
CC = gcc
endif
ifeq ($(origin AR),default)
AR = ar
endif
CFLAGS ?= $(if $(SAN),-O1,-O2) -g
LDFLAGS ?=
INSTALL = install

# ---------------------------------------------------------------------------
# Flags. CFLAGS and LDFLAGS are the user's; these are ours.

# $(call once,NAME,COMMAND): its output, asked for once and only when used.
once = $(eval $(1) := $$(shell $(2)))$($(1))
# $(call accepts,FLAGS): those of FLAGS that $(CC) knows on this machine.
accepts = for f in $(1); do $(CC) -Werror $$f -x c -c -o /dev/null \
	/dev/null 2>/dev/null && echo $$f; done

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wformat=2 -Wundef -Wvla $(if $(WERROR),-Werror)
HARDEN = $(call once,HARDEN,$(call accepts,-fstack-protector-strong \
	-fstack-clash-protection -fcf-protection))
HARDEN_LINK = -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack

SAN_asan = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
SAN_tsan = -fsanitize=thread -fno-omit-frame-pointer
SAN_fuzz = -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer
ifneq ($(filter-out asan tsan fuzz,$(SAN)),)
$(error SAN=$(SAN) is not known: asan or tsan)
endif
SANITIZE = $(if $(SAN),$(SAN_$(SAN)))
# the sanitizers bring checks of their own, which FORTIFY would hide
FORTIFY = $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)

HXS_CPPFLAGS = -I. -Icore -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-DHXS_VERSION='"$(VERSION)"' $(FORTIFY)
HXS_CFLAGS = -std=gnu11 -fPIE -pthread $(WARN) $(HARDEN) $(SANITIZE) $(EXTRA)
HXS_LDFLAGS = $(HARDEN_LINK) $(SANITIZE)
HXS_LIBS = -lcrypto -lcjson -lsqlite3 -lpthread

FUSE_CFLAGS = -DFUSE_USE_VERSION=312 \
	$(call once,FUSE_FOUND,pkg-config --cflags fuse3)
FUSE_LIBS = $(call once,FUSE_LINK,pkg-config --libs fuse3)

# ---------------------------------------------------------------------------
# What there is.

core_c := $(wildcard core/*.c core/*/*.c core/*/*/*.c)
fs_c := $(wildcard fs/*.c)
tools_c := $(wildcard tools/*.c)
unit_c := $(wildcard tests/unit/test_*.c)
fuzz_c := $(wildcard tests/fuzz/fuzz_*.c)
# Programs that tests run: NAME.c and, if there are any, NAME_*.c.
# fuzzmain.c is a main() for others.
lib_c := $(filter-out tests/lib/fuzzmain.c,$(foreach f,\
	$(wildcard tests/lib/*.c),$(if $(findstring _,$(f)),,$(f))))
side_c := $(filter-out tests/lib/% tests/unit/% tests/fuzz/%,\
	$(wildcard tests/*/*.c))
all_c := $(core_c) $(fs_c) $(tools_c) $(wildcard tests/*/*.c)
all_h := $(wildcard core/*.h core/*/*.h core/*/*/*.h fs/*.h tools/*.h \
	tests/*/*.h)
manuals := $(wildcard man/*.[1-9])
systemd_units := $(wildcard systemd/*.service systemd/*.timer)
doc_examples := $(wildcard examples/*)

obj = $(patsubst %.c,$(B)/o/%.o,$(1))
objs := $(call obj,$(all_c))

libhxs := $(B)/libhxs.a
libhxfs := $(B)/libhxfs.a
libhxtools := $(B)/libhxtools.a
programs := $(if $(wildcard fs/main.c fs/hxsnapfs.c),$(B)/hxsnapfs) \
	$(if $(tools_c),$(B)/hxsnap)
units := $(unit_c:%.c=$(B)/%)
corpora := $(fuzz_c:%.c=$(B)/%)
helpers := $(lib_c:tests/lib/%.c=$(B)/tests/%) $(side_c:%.c=$(B)/%)
test_programs := $(units) $(corpora) $(helpers)

# What the selected tests need: all of it, or just the C tests named.
for_check = $(if $(filter-out unit unit/% fuzz fuzz/%,$(or $(T),all)),do-tests,\
	$(if $(filter unit,$(T)),$(units)) $(if $(filter fuzz,$(T)),$(corpora)) \
	$(foreach t,$(filter unit/%,$(T)),$(B)/tests/unit/test_$(t:unit/%=%)) \
	$(foreach t,$(filter fuzz/%,$(T)),$(B)/tests/fuzz/fuzz_$(t:fuzz/%=%)))

# run the rest in parallel, unless the caller already decided
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
SUBMAKE = $(MAKE) --no-print-directory

# ---------------------------------------------------------------------------
# What one asks for.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all check lint format install uninstall clean bench demo help deps \
	built fuzz crash boot-test deb do-all do-tests do-check do-lint do-bench do-demo \
	do-fuzz do-crash do-boot-test objects

all: ## build hxsnap and hxsnapfs into build/
	@scripts/deps --check build
	+@$(SUBMAKE) $(PARALLEL) do-all

check: ## run the tests; T=fuse, T=t0020-x.sh, T=unit/json; SAN=asan|tsan
	@scripts/deps build test
	+@$(SUBMAKE) $(PARALLEL) $(for_check)
	+@$(SUBMAKE) do-check

crash: ## kill, fail and cut the power of a restore at every call: hours
	@scripts/deps build test
	+@$(SUBMAKE) $(PARALLEL) do-tests
	+@$(SUBMAKE) do-crash

boot-test: ## start a machine, cut its power; nightly, since it takes long
	@scripts/deps build test boot
	+@$(SUBMAKE) $(PARALLEL) do-tests
	+@$(SUBMAKE) deb >/dev/null
	+@$(SUBMAKE) do-boot-test

demo: ## show it at work on made-up data, in a minute
	@scripts/deps build demo
	+@$(SUBMAKE) $(PARALLEL) do-all
	+@$(SUBMAKE) do-demo

bench: ## measure against the native file system and other tools
	@scripts/deps build test bench
	+@$(SUBMAKE) $(PARALLEL) do-tests
	+@$(SUBMAKE) do-bench

lint: ## static checks: clang-tidy, cppcheck, shellcheck, format, layers
	@scripts/deps build test lint
	+@$(SUBMAKE) do-lint

fuzz: ## try every parser with made-up input; FUZZ_SECONDS=600, T=manifest
	@scripts/deps build lint
	+@$(SUBMAKE) $(PARALLEL) SAN=fuzz CC=clang B=$(B)-fuzz do-fuzz

format: ## apply clang-format to every C file
	@scripts/deps lint
	clang-format -i $(all_c) $(all_h)

install: all ## install below PREFIX (/usr/local), DESTDIR before it
	$(INSTALL) -d '$(DESTDIR)$(bindir)'
	for f in $(notdir $(programs)); do \
		$(INSTALL) -m 755 '$(B)'/"$$f" '$(DESTDIR)$(bindir)' || exit; \
	done
	for f in $(manuals); do \
		d='$(DESTDIR)$(mandir)'/man"$${f##*.}" && \
		$(INSTALL) -d "$$d" && \
		$(INSTALL) -m 644 "$$f" "$$d" || exit; \
	done
	$(INSTALL) -d '$(DESTDIR)$(includedir)'
	$(INSTALL) -m 644 examples/hxsnap.mk '$(DESTDIR)$(includedir)'
	$(INSTALL) -d $(patsubst %,'$(DESTDIR)%',\
		$(bashcompdir) $(zshcompdir) $(fishcompdir))
	$(INSTALL) -m 644 completion/hxsnap.bash '$(DESTDIR)$(bashcompdir)/hxsnap'
	$(INSTALL) -m 644 completion/_hxsnap '$(DESTDIR)$(zshcompdir)'
	$(INSTALL) -m 644 completion/hxsnap.fish '$(DESTDIR)$(fishcompdir)'
	$(INSTALL) -d '$(DESTDIR)$(unitdir)' '$(DESTDIR)$(docdir)/examples'
	$(INSTALL) -m 644 $(systemd_units) '$(DESTDIR)$(unitdir)'
	$(INSTALL) -m 644 README.md '$(DESTDIR)$(docdir)'
	$(INSTALL) -m 644 systemd/README.md '$(DESTDIR)$(docdir)/systemd.md'
	$(INSTALL) -m 644 $(doc_examples) '$(DESTDIR)$(docdir)/examples'

uninstall: ## remove what install put there
	rm -f $(patsubst %,'$(DESTDIR)$(bindir)/%',hxsnap hxsnapfs)
	for f in $(notdir $(manuals)); do \
		rm -f '$(DESTDIR)$(mandir)'/man"$${f##*.}/$$f" || exit; \
	done
	rm -f $(patsubst %,'$(DESTDIR)%',$(includedir)/hxsnap.mk \
		$(bashcompdir)/hxsnap $(zshcompdir)/_hxsnap \
		$(fishcompdir)/hxsnap.fish \
		$(systemd_units:systemd/%=$(unitdir)/%) \
		$(doc_examples:%=$(docdir)/%) \
		$(docdir)/README.md $(docdir)/systemd.md)
	for d in '$(DESTDIR)$(docdir)'/examples '$(DESTDIR)$(docdir)'; do \
		[ ! -d "$$d" ] || rmdir "$$d" || exit; \
	done

deb: all ## build a Debian package into build/
	@MAKE='$(MAKE)' INSTALL_FROM='$(abspath $(B))' VERSION='$(VERSION)' \
		scripts/deb '$(B)'

deps: ## install every Debian package that any target needs (as root)
	@scripts/deps build test demo bench lint boot

clean: ## remove everything that was built
	rm -rf $(foreach b,build $(B),$(b) $(b)-asan $(b)-tsan $(b)-fuzz $(b)-lint)

# What a project includes; with the program that was just built, and with
# nothing on standard output but what that prints.
HXSNAP = '$(abspath $(B)/hxsnap)'
include examples/hxsnap.mk
backup restore: built
built:
	+@$(SUBMAKE) -s do-all >&2

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' \
		Makefile examples/hxsnap.mk

# ---------------------------------------------------------------------------
# What those do once the packages are there.

do-all: $(programs) $(libhxs)

do-tests: do-all $(test_programs)

do-check:
	@HXS_BUILD='$(abspath $(B))' HXS_SAN='$(SAN)' CC='$(CC)' \
		HXS_VERSION='$(VERSION)' tests/run $(T)

do-crash:
	@HXS_CRASH=all HXS_TEST_LIMIT=$${HXS_TEST_LIMIT:-86400} \
		$(SUBMAKE) do-check T='$(or $(T),crash)'

do-boot-test:
	@HXS_BUILD='$(abspath $(B))' HXS_VERSION='$(VERSION)' \
		prove --verbose --timer --exec 'timeout -k 20 14400' \
		tests/boot/boot.sh

do-demo:
	@HXS_BUILD='$(abspath $(B))' tests/demo.sh

do-bench:
	@HXS_BUILD='$(abspath $(B))' tests/bench/run $(T)

do-lint:
	@MAKE='$(MAKE)' HXS_BUILD='$(abspath $(B))' \
		HXS_CPPFLAGS='$(filter-out -DHXS_VERSION%,$(HXS_CPPFLAGS))' \
		scripts/lint $(T)

do-fuzz: $(fuzz_c:%.c=$(B)/%)
	@HXS_BUILD='$(abspath $(B))' FUZZ_SECONDS='$(FUZZ_SECONDS)' \
		scripts/fuzz $(T)

objects: $(objs)

# ---------------------------------------------------------------------------
# How things are made.

# V=1 shows the commands, -s nothing
quiet := $(findstring s,$(filter-out -%,$(firstword $(MAKEFLAGS))))
ifneq ($(quiet),)
say = @
else ifeq ($(V),)
say = @printf '  %-5s %s\n' $(1) '$(@:$(B)/%=%)';
endif

# Holds the flags that objects were made with; changes when they do.
FLAGS_NOW = $(CC) $(CFLAGS) $(LDFLAGS) $(HXS_CPPFLAGS) $(HXS_CFLAGS) \
	$(HXS_LDFLAGS)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# Hold the members of each archive; change when a source comes or goes.
$(B)/libhxs.members: now = $(call obj,$(core_c))
$(B)/libhxfs.members: now = $(call obj,$(fs_c))
$(B)/libhxtools.members: now = $(call obj,$(tools_c))
$(B)/%.members: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(now)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
FORCE:
.PHONY: FORCE
.PRECIOUS: $(B)/%.members

$(call obj,$(fs_c) $(wildcard tests/unit/test_fs*.c) tests/crash/recorder.c): \
	private OWN = $(FUSE_CFLAGS)

$(B)/o/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(HXS_CPPFLAGS) $(OWN) $(CPPFLAGS) $(CFLAGS) \
		$(HXS_CFLAGS) -MMD -MP -c -o $@ $<

# A member that is no longer a source must go, so it is made anew.
archive = $(call say,AR)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)
$(libhxs): $(call obj,$(core_c)) $(B)/libhxs.members
	$(archive)
$(libhxfs): $(call obj,$(fs_c)) $(B)/libhxfs.members
	$(archive)
$(libhxtools): $(call obj,$(tools_c)) $(B)/libhxtools.members
	$(archive)

link = @mkdir -p $(@D)
link += $(if $(quiet),,$(if $(V),&& set -x,\
	&& printf '  %-5s %s\n' LD '$(@:$(B)/%=%)')) && $(CC) $(CFLAGS) $(HXS_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
	$(filter-out $(libhxs),$(filter %.a,$^)) $(filter $(libhxs),$^) \
	$(OWN_LIBS) $(HXS_LIBS)

$(B)/hxsnapfs: private OWN_LIBS = $(FUSE_LIBS)
$(B)/hxsnapfs: $(call obj,$(fs_c)) $(libhxs)
	$(link)
$(B)/hxsnap: $(call obj,$(tools_c)) $(libhxs)
	$(link)

$(filter $(B)/tests/unit/test_fs%,$(units)): private OWN_LIBS = $(FUSE_LIBS)
$(filter $(B)/tests/unit/test_fs%,$(units)): $(libhxfs)
$(filter $(B)/tests/unit/test_tools%,$(units)): $(libhxtools)
$(units): $(B)/%: $(B)/o/%.o $(libhxs)
	$(link)

# Inside `make check` each parser reads its corpus once; with libFuzzer it
# makes up more.
ifeq ($(SAN),fuzz)
$(corpora): private OWN_LIBS = -fsanitize=fuzzer
$(corpora): $(B)/%: $(B)/o/%.o $(libhxs)
	$(link)
else
$(corpora): $(B)/%: $(B)/o/%.o $(B)/o/tests/lib/fuzzmain.o $(libhxs)
	$(link)
endif

$(foreach f,$(lib_c:tests/lib/%.c=%),$(eval $(B)/tests/$(f): \
	$(call obj,$(wildcard tests/lib/$(f)_*.c))))
# They share no code with what they test.
$(lib_c:tests/lib/%.c=$(B)/tests/%): $(B)/tests/%: $(B)/o/tests/lib/%.o
	$(link)
$(B)/tests/crash/recorder: private OWN_LIBS = $(FUSE_LIBS)
$(side_c:%.c=$(B)/%): $(B)/%: $(B)/o/%.o $(libhxs)
	$(link)

-include $(objs:.o=.d)
