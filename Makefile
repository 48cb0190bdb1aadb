# distlog: one file, no configure. `make help` lists the targets.
#   V=1    show the commands            DEV=1   warnings are errors, contract checks around the engines
#   SAN=address,undefined | SAN=thread  sanitizers          COV=1   coverage, for gcov
#   PREFIX=/usr/local DESTDIR= SYSCONFDIR=/etc              where `make install` installs
#   SUDO=sudo                           lets `make` install missing Debian packages when not root

VERSION  := 0.1.0
COMMANDS := node collect pubsub store alert search delete nodes deadletter up config help

DAEMONS  := collect pubsub store alert

PREFIX     ?= /usr/local
DESTDIR    ?=
SYSCONFDIR ?= /etc
CFLAGS   ?= -O2 -g
PACKAGES := rdkafka libcurl jansson yaml-0.1 sqlite3 libmicrohttpd zlib
# The tests of our MessagePack reader hold it against msgpack-c, whose name differs between releases of Debian.
MSGPACK_LIBS = $(shell pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack)

# Those of the given flags that this compiler, and for FORTIFY its C library, accepts without a warning.
hash := \#
known = $(foreach f,$1,$(if $(shell echo '$(hash)include <features.h>' | $(CC) -O2 $f -x c -c -o /dev/null - 2>&1),,$f))
# Indirect calls and jumps reach only valid targets, on processors that enforce this (x86: CET; ARM: PAC and BTI).
GUARD := $(firstword $(call known,-fcf-protection -mbranch-protection=standard))
# The stack can't grow past its guard page, and local variables start zeroed. Sanitizer builds omit these flags,
# because they look for the bugs that the flags hide.
HARDEN := $(call known,-fstack-clash-protection -ftrivial-auto-var-init=zero)
# The distribution or the compiler may define a level of its own: ours comes last, after an -U.
FORTIFY := -U_FORTIFY_SOURCE $(or $(call known,-D_FORTIFY_SOURCE=3),-D_FORTIFY_SOURCE=2)

# Objects of different flags never mix: build/<flags>/.
comma := ,
flavour = build/$(if $(filter clang%,$(CC)),clang-)$(if $1,$(subst $(comma),-,$1)-)$(if $(COV),cov-)$(if $2,dev,release)
B ?= $(call flavour,$(SAN),$(DEV))

# -Wcast-qual is not among the warnings: the owner of a const span's bytes frees them through a cast.
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DDISTLOG_VERSION='"$(VERSION)"' \
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wundef -Wnull-dereference $(if $(DEV),-Werror -DDISTLOG_DEV) -fstack-protector-strong $(GUARD) -fPIE \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all,$(HARDEN)) \
	$(if $(COV),--coverage) $(CPPFLAGS) $(CFLAGS) $(if $(SAN)$(filter -O0,$(CFLAGS)),,$(FORTIFY)) -MMD -MP
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage) $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PACKAGES))
Q := $(if $(V),,@)

LIB_SOURCES := $(wildcard lib/*.c lib/*/*.c lib/*/*/*.c)
CMD_SOURCES := $(wildcard cmd/*.c)
OBJECTS     := $(patsubst %.c,$(B)/%.o,$(LIB_SOURCES) $(CMD_SOURCES))
UNIT_TESTS  := $(patsubst %.c,$(B)/%,$(wildcard test/unit/*.c))
# Each contract test is a program, except *_world.c, which they share.
WORLDS      := $(wildcard test/contract/*_world.c)
CONTRACTS   := $(patsubst %.c,$(B)/%,$(filter-out $(WORLDS),$(wildcard test/contract/*.c)))
TEST_TOOLS  := $(patsubst %.c,$(B)/%,$(wildcard test/tool/*.c))
FUZZERS     := $(patsubst %.c,$(B)/%,$(wildcard test/fuzz/*.c))
BENCHES     := $(patsubst %.c,$(B)/%,$(wildcard test/bench/*.c))
INTERPOSE   := $(B)/test/faults/interpose.so
C_FILES     := $(wildcard *.c cmd/*.[ch] lib/*.[ch] lib/*/*.[ch] lib/*/*/*.[ch] man/*.[ch] test/*/*.[ch])

.SECONDARY:

.PHONY: all
all: $(B)/distlog
	$(Q)ln -sf $< distlog

# Checks first that the packages needed for building are installed, so that a missing one is reported by its name and
# not as a missing header.
.PHONY: deps deps-check
deps:
	@CC='$(CC)' SUDO='$(SUDO)' sh .ci/deps.sh build
deps-check: deps
	@CC='$(CC)' SUDO='$(SUDO)' sh .ci/deps.sh check
$(UNIT_TESTS:=.o) $(CONTRACTS:=.o) $(FUZZERS:=.o): | deps-check

$(B)/distlog: $(B)/distlog.o $(B)/libdistlog.a
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The list of commands is COMMANDS: nobody keeps a second one.
$(B)/cmd/commands.o: ALL_CFLAGS += -DDISTLOG_COMMANDS='$(foreach c,$(COMMANDS),X($(c)))'
$(B)/cmd/settings.o: ALL_CFLAGS += -DSYSCONFDIR='"$(SYSCONFDIR)"'

$(B)/libdistlog.a: $(OBJECTS)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/%.o: %.c Makefile | deps
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $<")
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The generator of manual, completion and distlog.yaml has the very tables that distlog has.
$(B)/man/generate: $(B)/man/generate.o $(B)/man/text.o $(B)/libdistlog.a
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: generate
generate: $(B)/man/generate
	$< .

# Each unit or contract test is one cmocka program, linked with what it needs from the archive.
$(UNIT_TESTS) $(CONTRACTS): $(B)/%: $(B)/%.o $(B)/libdistlog.a
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -lcmocka
$(CONTRACTS): $(WORLDS:%.c=$(B)/%.o)

$(B)/test/unit/msgpack_json $(B)/test/fuzz/msgpack: LIBS += $(MSGPACK_LIBS)

# libFuzzer comes with clang: `check` builds these in build/fuzz.
$(FUZZERS): $(B)/%: $(B)/%.o $(B)/libdistlog.a
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) $(WRAP:%=-Wl,--wrap=%) -fsanitize=fuzzer -o $@ $^ $(LIBS)
# Functions of the product that a fuzz target replaces by its own.
$(B)/test/fuzz/line: WRAP = log_write
$(B)/test/fuzz/bulk_reply $(B)/test/fuzz/search_reply: WRAP = es_client_run clock_sleep_ms

# The tool with which black-box tests fill topics, and the programs that the benchmarks compare with.
$(TEST_TOOLS) $(BENCHES): $(B)/%: $(B)/%.o $(B)/libdistlog.a
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The library that the fault tests preload (LD_PRELOAD) to make calls fail; built without sanitizers.
$(INTERPOSE): test/faults/interpose.c Makefile | deps
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(filter-out -fsanitize=% -fPIE --coverage,$(ALL_CFLAGS)) -fPIC -shared -o $@ $<

# ---- tests: `make check` runs all of them, in the flavours that they need; single targets run in this flavour.

.PHONY: programs fuzzers unit contract cli lint fuzz check check-fast check-plain check-release coverage
.PHONY: check-servers check-faults demo bench bench-servers
programs: $(B)/distlog $(B)/man/generate $(UNIT_TESTS) $(CONTRACTS) $(TEST_TOOLS) $(BENCHES) $(INTERPOSE)
fuzzers: $(FUZZERS) $(B)/distlog

JOBS  = $(shell nproc)
RUN   = test/run -j $(JOBS)
# Sub-makes use every core unless the user passed -j.
BUILD = +@$(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS)) COV=
PLAIN := $(call flavour,,)
ASAN  := $(call flavour,address-undefined,1)
TSAN  := $(call flavour,thread,1)
CLI   := $(sort $(wildcard test/cli/[0-9]*.sh))
# Checks of the sources, and tests of the fault tests' oracle and harness.
LINT  := $(sort $(wildcard test/lint/*.sh)) test/lint/style.py $(sort $(wildcard test/faults/*_test.py))
WITH  = DISTLOG=$1/distlog GENERATE=$1/man/generate BUILD=$1

unit: $(UNIT_TESTS)
	@$(RUN) $^
contract: $(CONTRACTS)
	@$(RUN) $^
cli: deps-check programs
	@$(RUN) $(call WITH,$(B)) $(CLI)
lint: deps-check all programs compile_commands.json
	@$(RUN) $(call WITH,$(B)) $(LINT)

# To run after each change: everything that starts no processes of its own, in one flavour, in less than a minute.
# The analysers look only at what changed since the last run (test/lint/analyse.py).
check-fast: deps-check all programs compile_commands.json
	@$(RUN) $(call WITH,$(B)) $(LINT) $(UNIT_TESTS) $(CONTRACTS)

# The sanitizer builds use gcc with -Werror, the fuzzers' build clang with -Werror.
check: deps-check compile_commands.json
	$(BUILD) SAN= DEV= B=$(PLAIN) all programs
	$(BUILD) SAN=address,undefined DEV=1 B=$(ASAN) programs
	$(BUILD) SAN=thread DEV=1 B=$(TSAN) programs
	$(BUILD) CC=clang SAN=address,undefined DEV=1 B=build/fuzz CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' fuzzers
	@$(RUN) $(call WITH,$(PLAIN)) $(LINT) $(UNIT_TESTS:$(B)/%=$(PLAIN)/%) $(CONTRACTS:$(B)/%=$(PLAIN)/%) $(CLI) \
		$(call WITH,$(ASAN)) $(UNIT_TESTS:$(B)/%=$(ASAN)/%) $(CONTRACTS:$(B)/%=$(ASAN)/%) $(CLI) \
		$(call WITH,$(TSAN)) $(CONTRACTS:$(B)/%=$(TSAN)/%) \
		$(call WITH,build/fuzz) TEST_TIMEOUT=900 test/fuzz/run.sh

# Each kind of test once, without sanitizers and fuzzing.
check-plain: deps-check compile_commands.json
	$(BUILD) SAN= DEV= B=$(PLAIN) all programs
	@$(RUN) $(call WITH,$(PLAIN)) $(LINT) $(UNIT_TESTS:$(B)/%=$(PLAIN)/%) $(CONTRACTS:$(B)/%=$(PLAIN)/%) $(CLI)

# The same on another release of Debian, with that release's compiler and libraries.
check-release:
	@test/release.sh $(OTHER)

# Which lines and branches of the core and the use cases the tests cover. Built without optimization, so that machine
# code maps to lines. Two scripts are left out, because gcov's runtime writes at exit: one makes allocations
# fail, and one runs as a user who may not write here.
COVERED := build/coverage
coverage: deps-check
	@sh .ci/deps.sh coverage
	@find $(COVERED) -name '*.gcda' -delete 2>/dev/null || true
	+@$(MAKE) --no-print-directory COV=1 SAN= DEV= CFLAGS='-O0 -g' B=$(COVERED) programs
	@$(RUN) $(call WITH,$(COVERED)) $(UNIT_TESTS:$(B)/%=$(COVERED)/%) $(CONTRACTS:$(B)/%=$(COVERED)/%) \
		$(filter-out test/cli/0570-out-of-memory.sh test/cli/0815-untrusted-config.sh,$(CLI))
	@bash test/coverage.sh $(COVERED) lib/core lib/app

# On the real Kafka, Elasticsearch and OpenSearch: contract tests, cli scripts that are marked with a line
# `# Also on: kafka` (each on a broker of its own), and tests of what only these servers can do, which run on
# OpenSearch too if such a line says so.
SERVERS    := test/integration/servers
ON_SERVERS := $(sort $(wildcard test/integration/[a-z]*-*.sh))
ON_OS      := $(sort $(shell grep -ls '^# Also on: .*opensearch' $(ON_SERVERS)))
ON_ES      := $(sort $(shell grep -ls '^# Also on: .*elasticsearch' $(CLI)))
ON_KAFKA   := $(sort $(shell grep -ls '^# Also on: .*kafka' $(CLI)))
check-servers: deps-check
	@sh .ci/deps.sh servers
	$(BUILD) SAN= DEV= B=$(PLAIN) all programs
	$(BUILD) SAN=address,undefined DEV=1 B=$(ASAN) programs
	$(BUILD) SAN=thread DEV=1 B=$(TSAN) programs
	@export TEST_TIMEOUT=900 && $(SERVERS) start && eval "$$($(SERVERS) env)" && \
		kafka="DISTLOG_BUS_TYPE=kafka DISTLOG_BUS_KAFKA_BROKERS=$$TEST_KAFKA" && \
		es='DISTLOG_STORE_TYPE=elasticsearch DISTLOG_STORE_ELASTICSEARCH_URLS' && \
		secure="DISTLOG_STORE_ELASTICSEARCH_PASSWORD=$$TEST_ES_PASSWORD DISTLOG_STORE_ELASTICSEARCH_CA=$$TEST_TLS/ca.crt" && \
		{ $(RUN) $$kafka $(PLAIN)/test/contract/bus $(ASAN)/test/contract/bus $(TSAN)/test/contract/bus \
			$$es=$$TEST_ES $(PLAIN)/test/contract/store $(ASAN)/test/contract/store $(TSAN)/test/contract/store \
			$$es=$$TEST_OPENSEARCH $(PLAIN)/test/contract/store \
			$$es=$$TEST_ES_SECURE $$secure $(PLAIN)/test/contract/store \
			$(call WITH,$(PLAIN)) $(ON_SERVERS) TEST_STORE=elasticsearch $(ON_ES) TEST_STORE=opensearch $(ON_ES) $(ON_OS) \
			TEST_STORE= TEST_BUS=kafka $(ON_KAFKA); code=$$?; $(SERVERS) wipe >/dev/null; exit $$code; }

# Rounds of load and seeded faults on every engine, each judged by an oracle. test/faults/run.py explains FAULTS_ON,
# FAULTS_SEED, FAULTS_ROUNDS and the variables that a failing run prints.
check-faults: deps-check
	@sh .ci/deps.sh servers
	$(BUILD) SAN= DEV= B=$(PLAIN) all $(INTERPOSE:$(B)/%=$(PLAIN)/%)
	@$(call WITH,$(PLAIN)) test/faults/run.py

fuzz: deps-check
	$(BUILD) CC=clang SAN=address,undefined DEV=1 B=build/fuzz CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' fuzzers
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) $(call WITH,build/fuzz) bash test/fuzz/run.sh

demo:
	$(BUILD) all
	@bash test/demo.sh

bench: deps-check all $(BENCHES)
	@$(call WITH,$(B)) bash test/bench/run.sh
bench-servers: deps-check all programs
	@sh .ci/deps.sh servers
	@$(call WITH,$(B)) bash test/bench/servers.sh

# For editors and clang's tools. The file is replaced only if its contents change.
.PHONY: compile_commands.json format
compile_commands.json:
	@sh .ci/compile-commands.sh CC=$(firstword $(CC)) SAN= DEV=1 COV= >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
format:
	$(Q)clang-format -i $(C_FILES)

# ---- installing

BIN      = $(DESTDIR)$(PREFIX)/bin
MAN      = $(DESTDIR)$(PREFIX)/share/man
DOC      = $(DESTDIR)$(PREFIX)/share/doc/distlog
COMPLETE = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
SYSTEMD  = $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERS = $(DESTDIR)$(PREFIX)/lib/sysusers.d
CONFIG   = $(DESTDIR)$(SYSCONFDIR)/distlog
OLD_NAMES = $(shell $(B)/man/generate --aliases)
FILLED   = sed -e 's|@BIN@|$(PREFIX)/bin|g' -e 's|@CONFIG@|$(SYSCONFDIR)/distlog|g'

.PHONY: install install-compat uninstall
install: $(B)/distlog
	install -d $(BIN) $(MAN)/man1 $(MAN)/man5 $(MAN)/man7 $(DOC) $(COMPLETE) $(SYSTEMD) $(SYSUSERS) $(CONFIG)
	install -m 755 $< $(BIN)/distlog
	for c in $(COMMANDS); do ln -sf distlog $(BIN)/distlog-$$c; done
	install -m 644 man/*.1 $(MAN)/man1
	install -m 644 man/*.5 $(MAN)/man5
	install -m 644 man/*.7 $(MAN)/man7
	install -m 644 README.md fluent.conf distlog.yaml $(DOC)
	install -m 644 man/distlog.bash $(COMPLETE)/distlog
	for c in $(COMMANDS); do ln -sf distlog $(COMPLETE)/distlog-$$c; done
	install -m 644 man/systemd/distlog.sysusers $(SYSUSERS)/distlog.conf
	install -m 644 man/systemd/distlog.target $(SYSTEMD)
	set -e; for d in $(DAEMONS); do \
		$(FILLED) -e "s|@DAEMON@|$$d|g" man/systemd/distlog.service.in >$(SYSTEMD)/distlog-$$d.service; \
		chmod 644 $(SYSTEMD)/distlog-$$d.service; done
	[ -e $(CONFIG)/distlog.yaml ] || install -m 644 distlog.yaml $(CONFIG)

# Links with the names of the tools that distlog replaces, for scripts that call them.
install-compat: install $(B)/man/generate
	for n in $(OLD_NAMES); do ln -sf distlog $(BIN)/$$n; ln -sf distlog $(BIN)/$$n.py; done

# Removes what install installed. Settings that were changed are kept unless PURGE=1; data is always kept.
uninstall:
	find $(BIN) $(COMPLETE) -maxdepth 1 -lname distlog -delete
	for f in man/*.[157]; do rm -f $(MAN)/man$${f##*.}/$${f#man/}; done
	rm -f $(BIN)/distlog $(COMPLETE)/distlog $(SYSUSERS)/distlog.conf $(SYSTEMD)/distlog.target
	for d in $(DAEMONS); do rm -f $(SYSTEMD)/distlog-$$d.service; done
	if [ -n "$(PURGE)" ] || cmp -s $(DOC)/distlog.yaml $(CONFIG)/distlog.yaml; then rm -f $(CONFIG)/distlog.yaml; \
		elif [ -e $(CONFIG)/distlog.yaml ]; then echo "kept $(CONFIG)/distlog.yaml: it was changed"; fi
	rm -f $(DOC)/README.md $(DOC)/fluent.conf $(DOC)/distlog.yaml
	for d in $(DOC) $(CONFIG); do [ ! -d $$d ] || rmdir --ignore-fail-on-non-empty $$d; done

# ---- packages

# The archive is reproducible byte for byte: the files of the commit, in the order of its tree, owned by root, with
# the commit's time. Uncommitted changes are not in it.
DIST := build/distlog-$(VERSION).tar.gz
.PHONY: dist
dist:
	@mkdir -p $(dir $(DIST))
	@[ -z "$$(git status --porcelain)" ] || echo 'distlog: uncommitted changes are not in the archive' >&2
	$(Q)git -c tar.umask=0022 archive --format=tar --prefix=distlog-$(VERSION)/ HEAD >$(DIST).tar
	$(Q)gzip -9nc $(DIST).tar >$(DIST) && rm $(DIST).tar
	@echo $(DIST)

# A Debian package for the release that this runs on; its parts are in .ci/deb/. check-deb installs, runs, upgrades
# and purges it in a root of its own (RELEASE, by default the release of this machine); it must be run as root.
RELEASE ?= $(shell . /etc/os-release && echo $$VERSION_CODENAME)
.PHONY: deb check-deb
deb: all
	@sh .ci/deps.sh deb
	@bash .ci/deb/build.sh $(B) $(VERSION)
check-deb: deb
	@sh .ci/deps.sh check-deb
	@TEST_TIMEOUT=900 $(RUN) RELEASE=$(RELEASE) test/package.sh

.PHONY: clean help
clean:
	rm -rf build distlog

help:
	@echo 'make             build ./distlog'
	@echo 'make demo        build it and watch all of it run on this machine, 30 seconds'
	@echo 'make check-fast  lint, unit and contract tests, in less than a minute'
	@echo 'make check       every test: lint, unit, contract, cli, again under sanitizers, and fuzzing'
	@echo 'make check-plain each of them once, without sanitizers and fuzzing'
	@echo 'make check-release [OTHER=trixie|bookworm]  the same on another Debian, in a root of its own; as root'
	@echo 'make check-servers  tests on a real Kafka, Elasticsearch and OpenSearch; needs Java and Maven'
	@echo 'make check-faults [FAULTS_SEED= FAULTS_ROUNDS= FAULTS_ON="local kafka"]'
	@echo '                 processes, servers, network, disk, clock and memory fail; nothing may be lost or duplicated'
	@echo 'make unit | contract | cli | lint | fuzz [FUZZ_SECONDS=60]      one kind of test'
	@echo 'make coverage    lines and branches of lib/core and lib/app that unit, contract and cli tests cover'
	@echo 'make bench       speed, as ratios to bare SQLite; make bench-servers: to bare librdkafka and libcurl'
	@echo 'make install | install-compat | uninstall [PREFIX= DESTDIR= SYSCONFDIR= PURGE=1]'
	@echo 'make dist        build/distlog-VERSION.tar.gz of what is committed, reproducible byte for byte'
	@echo 'make deb         a Debian package in build/; make check-deb installs, runs and purges it; as root'
	@echo 'make generate    manual, completion and distlog.yaml from the tables'
	@echo 'make compile_commands.json   for editors and analysers'
	@echo 'make format      clang-format over all C'
	@echo 'make clean'
	@sed -n '2,5s/^#/ /p' Makefile

-include $(INTERPOSE:.so=.d) $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(CONTRACTS:=.d) $(FUZZERS:=.d) \
	$(TEST_TOOLS:=.d) $(BENCHES:=.d) $(WORLDS:%.c=$(B)/%.d) $(B)/distlog.d $(B)/man/generate.d $(B)/man/text.d
