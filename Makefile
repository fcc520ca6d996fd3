# Two commands do everything on a fresh Debian machine:
#   make serve     installs what is missing, builds, serves on port 2024
#   make test      installs what is missing, builds, runs the test set
# The build itself is meson and ninja; this file is the short way to them.

B      ?= build
CC     ?= gcc
ARGS   ?=
PREFIX ?= /usr/local
ARCH   ?=
# A newer compiler or library may warn of something: that fails CI, not a user.
MESON  = meson setup --buildtype=debugoptimized $(if $(WERROR),--werror)
NINJA  = ninja -C $(B)

.DEFAULT_GOAL := build

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

build: $(B)/build.ninja ## build/cohort and build/cohortd
	@tools/deps
	@$(NINJA) --quiet

$(B)/build.ninja:
	@tools/deps
	@CC="$(CC)" $(MESON) $(B) >$(B).log 2>&1 || { cat $(B).log; exit 1; }; mv $(B).log $(B)/setup.log

serve: build ## build and serve (ARGS="--port 8123" adds options)
	@exec $(B)/cohort serve $(ARGS)

test: ## the test set: style, unit, contract, conformance, e2e, ASan
	@tools/deps --test-apt
	@tools/deps --test & deps=$$!; $(MAKE) --no-print-directory build && wait $$deps
	@tests/run quick

test-all: ## and the slow rest: kills, all sanitizers, a browser
	@tools/deps --test-all
	@$(MAKE) --no-print-directory build
	@tests/run all

san: ## unit tests with ASan+UBSan and TSan
	@tools/deps --test
	@tests/run san

fuzz: ## every fuzz target for FUZZ_SECONDS (default 300)
	@tools/deps --test
	@tests/run fuzz

bench: build ## the agent flow against a server of our own
	@tests/run bench

check: ## layers and style
	@tools/check-layers && tools/check-style

deps: ## install what building and testing need
	@tools/deps --test

install: build ## PREFIX (default /usr/local), DESTDIR; BD=1: as `bd` too
	@meson configure $(B) -Dprefix=$(PREFIX)
	@$(NINJA) --quiet install
ifdef BD
	@ln -sf cohort $(DESTDIR)$(PREFIX)/bin/bd
endif

deb: ## a Debian package in $(B)/deb; ARCH=arm64: for another machine
	@tools/deps --package $(ARCH)
	@tools/package $(B)/deb $(ARCH)

clean: ## remove what was built
	rm -rf $(B) build-*

.PHONY: help build serve test test-all san fuzz bench check deps install deb clean
