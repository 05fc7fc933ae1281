# Everything a newcomer, a developer and CI need. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GOLDEN ?= tests/golden
MINUTES ?= 120
FUZZ_SECONDS ?= 60
CLIPS ?= 40
FULL_SIZE ?= $(TRAINING)/work/full-size
DIFFUSERS ?= $(TRAINING)/work/diffusers
DIFFUSERS_VENV ?= .venv-diffusers
SIZE ?= base
VENV ?= .venv
LISTEN_VENV ?= .venv-listen
PACKAGES := build-essential pkg-config libasound2-dev libjack-jackd2-dev python3-venv
# What the end-to-end tests need beside them: a JACK server and OSC clients that are not ours.
TEST_PACKAGES := jackd2 liblo-tools
# A browser, and two machines with a cable.
REMOTE_PACKAGES := chromium iproute2 liblo-tools
# What makes and checks the Debian package.
DEB_PACKAGES := dpkg-dev lintian apt-utils gpg
# What builds and runs programs for a 64-bit ARM on another machine, and what those are linked to.
ARM_PACKAGES := gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user \
  libasound2-dev:arm64 libjack-jackd2-dev:arm64
ARM := aarch64-unknown-linux-gnu
# What controls are compared with.
EXPRESSION_PACKAGES := fluidsynth fluid-soundfont-gm
# Songs for it: 31 of General MIDI, with all their controllers.
LEVELS_PACKAGES := $(EXPRESSION_PACKAGES) openttd-openmsx
# What sound is compared with: the reference, a small soundfont, a codec.
LISTEN_PACKAGES := $(EXPRESSION_PACKAGES) timgm6mb-soundfont opus-tools
SONGS ?= /usr/share/games/openttd/baseset/openmsx
FLUIDR3 := /usr/share/sounds/sf2/FluidR3_GM.sf2
ARM_BUILD := CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++ \
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
  PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_LIBDIR_aarch64_unknown_linux_gnu=/usr/lib/aarch64-linux-gnu/pkgconfig
# What the machine under test is made with.
RIG_PACKAGES := libasound2-dev bc bison flex kmod e2fsprogs python3
TRAINING := models/training
# Commands that need cargo find it where rustup puts it, also before the first new login.
export PATH := $(HOME)/.cargo/bin:$(PATH)

# How every target builds the programs. `-p` without all of both would choose other features for the
# libraries, and cargo would compile them again; `--workspace` chooses the same, and adds the tests.
RELEASE := cargo build --release -p timbred -p timbre-control

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: ## Install the system packages and the Rust toolchain that are missing
	@missing=$$(for p in $(PACKAGES) $(if $(filter test unit lint latency,$(MAKECMDGOALS)),$(TEST_PACKAGES)) $(if $(filter deb deb-arm check-arm-deb repository check-repository rig,$(MAKECMDGOALS)),$(DEB_PACKAGES)) $(if $(filter deb-arm check-arm-deb test-arm instructions,$(MAKECMDGOALS)),$(ARM_PACKAGES)) $(if $(filter rig rig-quick,$(MAKECMDGOALS)),$(RIG_PACKAGES)) $(if $(filter expression latency,$(MAKECMDGOALS)),$(EXPRESSION_PACKAGES)) $(if $(filter levels,$(MAKECMDGOALS)),$(LEVELS_PACKAGES)) $(if $(filter listen evaluate,$(MAKECMDGOALS)),$(LISTEN_PACKAGES)) $(if $(filter test panel pictures remote,$(MAKECMDGOALS)),$(REMOTE_PACKAGES)); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  echo "installing $$missing"; as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  case "$$missing" in *:arm64*) $$as_root dpkg --add-architecture arm64;; esac; \
	  $$as_root apt-get update -q && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	fi
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs (Debian 12's own is too old), then run make again"; exit 1; }

run: setup ## Build and play the demo (into demo.wav where there is no sound device)
	$(RELEASE)
	target/release/timbred demo

install: setup ## Build and install timbred and timbrectl for this user (~/.cargo/bin)
	cargo install --locked --path daemon
	cargo install --locked --path ctl

# Clippy and the documentation need no compiled libraries, only what their interfaces are, which
# cargo makes once for both. Golden vectors are among the tests of `unit`.
TESTS := lint units unit panel doc test-training fuzz
test: setup ## All that CI runs, and what each part took
	@mkdir -p target && rm -f target/took && exec 3>&2 && for part in $(TESTS); do \
	  TIMEFORMAT="$$(printf %-14s $$part) %R s, processor %U s + %S s"; \
	  { time $(MAKE) --no-print-directory $$part FUZZ_SECONDS=20 2>&3; } 2>>target/took || exit 1; \
	done; echo "what each part took:"; cat target/took

lint: setup ## Formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

quick: setup ## While you work: formatting, the unit tests of all crates, the tidy test
	cargo fmt --all --check
	cargo test --workspace --lib --bins
	cargo test --workspace --test tidy

units: ## Have systemd check the service units, where there is a systemd
	@if command -v systemd-analyze >/dev/null; then systemd/verify.sh; else echo "no systemd-analyze: the units are not checked"; fi

unit: setup osc-clients remote-clients ## Unit, property and end-to-end tests
	cargo build --workspace
	GOLDEN=$(abspath $(GOLDEN)) VENV=$(abspath $(VENV)) cargo test --workspace

test-arm: setup ## The engine's unit tests built for a 64-bit ARM (Raspberry Pi) and run by an emulator
	rustup target add $(ARM)
	$(ARM_BUILD) \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
	cargo test --release -p timbre-models --lib --target $(ARM)

instructions: setup ## The instructions of a hop with held notes, on x86-64 and ARM, counted in emulators
	rustup target add $(ARM)
	$(RELEASE) -p timbre-models --example hold
	$(ARM_BUILD) cargo build --release -p timbre-models --example hold --target $(ARM)
	$(CC) -shared -fPIC -O2 -o target/count.so tests/instructions/count.c
	python3 tests/instructions/table.py target/count.so models/bundled/live target/release/examples/hold target/$(ARM)/release/examples/hold

osc-clients: setup $(VENV)/osc-clients-ready ## OSC clients that are not ours (python-osc, node-osc), for the tests

remote-clients: setup $(VENV)/remote-ready ## Browsers' and OSCQuery's clients that are not ours, for the tests

NODE := PATH=$(abspath $(VENV))/bin:$$PATH node
panel: setup remote-clients ## The panel in Chromium: pages follow each other, a key is heard, the daemon comes back, axe; pictures into target/panel
	cargo build --workspace
	$(NODE) tests/remote/panel.mjs target/debug/timbred target/panel

pictures: panel ## The same, and its pictures made small for the documentation
	$(VENV)/bin/python tests/remote/small.py target/panel docs/panel

remote: setup remote-clients ## OSCQuery, TCP, mDNS and who may, by clients that are not ours, between two network namespaces (as root)
	cargo build --workspace
	$(NODE) tests/remote/oscquery.mjs target/debug/timbred
	$(VENV)/bin/python tests/remote/network.py target/debug/timbred

remote-load: setup remote-clients ## 50 WebSocket clients that listen to everything, 1000 changes a second, 16 channels play for a minute
	$(RELEASE)
	$(NODE) tests/remote/load.mjs target/release/timbred 60 50 1000

remote-garbage: setup ## 100,000 broken HTTP requests, WebSocket frames and TCP packets against the real daemon (the tests send a fiftieth)
	cargo build --workspace
	python3 tests/remote/garbage.py target/debug/timbred 100000

garbage: setup ## A million broken OSC packets against the real daemon (the unit tests send a tenth)
	cargo build --workspace
	GARBAGE_PACKETS=1000000 cargo test --workspace --test live_garbage -- --nocapture

soak: MINUTES = 10
soak: setup ## A long hard evening: MINUTES (10) of dense playing with a core less for half of it; prints what happened
	cargo build --release --workspace
	MINUTES=$(MINUTES) cargo test --release --workspace --test soak -- --ignored --nocapture

golden: setup ## The public golden vectors; GOLDEN=DIR takes any directory of that layout, or a part of one
	GOLDEN=$(abspath $(GOLDEN)) cargo test --workspace --test golden_set --test golden_tokens --test golden_mel --test golden_schedule --test golden_network --test golden_checkpoint -- --nocapture

mutate: setup ## A million damaged MIDI files through the reader (the unit tests read 20,000)
	cargo build --workspace
	MUTATIONS=1000000 cargo test --workspace --test midi_mutations -- --nocapture

$(VENV)/corpus-ready:
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q mido==1.3.3
	touch $@

corpus: setup $(VENV)/corpus-ready ## Read every MIDI file below FOLDER; what is read, mended, refused, and mido's count of strikes beside ours
	cargo build --workspace
	$(VENV)/bin/python tests/corpus/corpus.py target/debug/read_midi $(FOLDER)

doc: setup ## Reference documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

deny: setup ## Licences and sources of all dependencies (installs cargo-deny, some minutes)
	@command -v cargo-deny >/dev/null || cargo install --locked --debug cargo-deny
	cargo deny --all-features check licenses bans sources

fuzz: setup ## Fuzz the MIDI reader, the manifest and the reader of pickles, FUZZ_SECONDS each
	tests/fuzz/run.sh $(FUZZ_SECONDS)

rig: setup deb ## A whole Linux under test, all checks, an hour of playing among them (as root; builds its kernel first)
	$(RELEASE)
	tests/rig/run.sh

rig-quick: setup ## The same: boot, default start, hot-plug, service; under ten minutes once its kernel is built
	$(RELEASE)
	tests/rig/run.sh --quick

$(VENV)/expression-ready:
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q mido==1.3.3 numpy scipy
	touch $@

expression: setup $(VENV)/expression-ready ## What each control does here and in FluidSynth, from the same MIDI files (some minutes)
	$(RELEASE)
	$(VENV)/bin/python tests/expression/expression.py target/release/timbred "$(or $(SOUNDFONT),$(FLUIDR3))"

levels: setup $(VENV)/expression-ready ## How loud each part of 20 songs (SONGS, a folder) is here and in FluidSynth (some minutes)
	$(RELEASE)
	$(VENV)/bin/python tests/expression/levels.py target/release/timbred "$(or $(SOUNDFONT),$(FLUIDR3))" $(SONGS)

latency: setup ## From key to sound on a JACK server with a dummy driver, here and in FluidSynth
	cargo build --release --workspace
	cargo test --release --workspace --test latency latency -- --ignored --nocapture

deb: setup ## The Debian package of this machine's kind, into target/debian (installs cargo-deb first, some minutes)
	@command -v cargo-deb >/dev/null || cargo install --locked --debug cargo-deb
	$(RELEASE)
	packaging/prepare.sh target/release target/package
	cargo deb --no-build -p timbred
	lintian --fail-on error target/debian/timbred_*_$$(dpkg --print-architecture).deb

deb-arm: setup ## The Debian package for a 64-bit ARM (Raspberry Pi) made on another machine, into target/debian
	@command -v cargo-deb >/dev/null || cargo install --locked --debug cargo-deb
	rustup target add $(ARM)
	$(ARM_BUILD) $(RELEASE) --target $(ARM)
	packaging/prepare.sh target/$(ARM)/release target/package qemu-aarch64
	cargo deb --no-build --target $(ARM) -p timbred -o target/debian/
	lintian --fail-on error target/debian/timbred_*_arm64.deb

check-arm-deb: deb-arm ## Run what is in that package by an emulator: it sounds as the programs of this machine do
	$(RELEASE)
	packaging/check-arm.sh target/debian/timbred_*_arm64.deb target/release/timbred

repository: setup ## An apt repository of the packages in target/debian, in target/repository (KEY=NAME of gpg signs it)
	KEY="$(KEY)" packaging/repository.sh target/repository target/debian/*.deb

check-repository: setup ## That apt takes packages out of such a repository, and refuses what was changed
	packaging/check-repository.sh target/debian/*.deb

bench: setup ## How fast the bundled model runs here: ms per hop, x real time
	$(RELEASE)
	target/release/timbred bench

$(VENV)/tests-ready: $(TRAINING)/pyproject.toml
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q numpy scipy pytest
	touch $@

# npm comes with node in the same environment; the package goes into a folder that git ignores.
$(VENV)/osc-clients-ready: tests/osc_clients/requirements.txt tests/osc_clients/package.json tests/osc_clients/package-lock.json
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q -r tests/osc_clients/requirements.txt
	PATH=$(abspath $(VENV))/bin:$$PATH npm ci --prefix tests/osc_clients --no-audit --no-fund --silent
	touch $@

$(VENV)/remote-ready: $(VENV)/osc-clients-ready tests/remote/requirements.txt tests/remote/package.json tests/remote/package-lock.json
	$(VENV)/bin/pip install -q -r tests/remote/requirements.txt
	PATH=$(abspath $(VENV))/bin:$$PATH npm ci --prefix tests/remote --no-audit --no-fund --silent
	touch $@

test-training: setup $(VENV)/tests-ready ## Python tests; those of the network run once `make train-env` has installed torch
	PYTHONPATH=$(TRAINING) $(VENV)/bin/python -m pytest -q $(TRAINING)/tests

train-env: setup ## Python environment and soundfont for training (several GB with CUDA)
	@for p in libfluidsynth3 fluid-soundfont-gm; do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || { \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; $$as_root apt-get install -y -q --no-install-recommends libfluidsynth3 fluid-soundfont-gm; break; }; done
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q -e $(TRAINING)[test]
	touch $(VENV)/tests-ready

train: train-env ## Train the bundled model for MINUTES (resumable), or with SOUNDFONT=my.sf2 [PROGRAMS="0 24-31 drums"] [OUT=folder] a model of that soundfont
	$(RELEASE)
	$(VENV)/bin/python -W ignore -m timbre_training.run --minutes $(MINUTES) --timbred target/release/timbred $(if $(SOUNDFONT),--soundfont "$(SOUNDFONT)") $(if $(PROGRAMS),--programs "$(PROGRAMS)") $(if $(OUT),--out "$(OUT)")

evaluate-env: train-env
	$(VENV)/bin/pip install -q -e $(TRAINING)[evaluate]
	$(VENV)/bin/pip install -q --no-deps basic-pitch==0.4.0

evaluate: listen-env evaluate-env ## Compare the bundled model with FluidSynth on held-out music and write its card; QUICK=1 or CLIPS=n (of 40) for a part of the set, printed only
	$(RELEASE)
	$(LISTEN) --json $(TRAINING)/work/listen/table.json $(if $(QUICK)$(filter-out 40,$(CLIPS)),--quick)
	cd $(TRAINING) && $(abspath $(VENV))/bin/python -W ignore -m timbre_training.evaluation --timbred $(abspath target/release/timbred) --clips $(CLIPS) --listening work/listen/table.json $(if $(QUICK),--quick)

drift: MINUTES = 30
drift: evaluate-env ## Play MINUTES (30) of live mode and show that level, spectrum and silence are what they were at the start
	$(RELEASE)
	cd $(TRAINING) && $(abspath $(VENV))/bin/python -m timbre_training.evaluation.drift --timbred $(abspath target/release/timbred) --minutes $(MINUTES)

LISTEN = PYTHONPATH=$(TRAINING) $(LISTEN_VENV)/bin/python -m timbre_training.listening target/release/timbred

$(LISTEN_VENV)/ready: $(TRAINING)/timbre_training/listening/requirements.txt
	python3 -m venv $(LISTEN_VENV)
	$(LISTEN_VENV)/bin/pip install -q -r $<
	touch $@

# The weights of two music taggers lie in this wheel, which is never installed: it would bring TensorFlow.
MUSICNN := $(TRAINING)/work/listen/musicnn-0.1.0-py3-none-any.whl
$(MUSICNN): | $(LISTEN_VENV)/ready
	$(LISTEN_VENV)/bin/pip download -q --no-deps musicnn==0.1.0 -d $(@D)

listen-env: setup $(LISTEN_VENV)/ready $(MUSICNN)

listen: listen-env ## How alive and how close the sound is, by numbers, beside FluidSynth (MODEL=folder; SOUNDFONT=what it learned from; PROGRAMS="0 48"; QUICK=1 for some minutes)
	cargo build --release --workspace
	$(LISTEN) $(if $(MODEL),--model "$(MODEL)") $(if $(SOUNDFONT),--soundfont "$(SOUNDFONT)") $(if $(PROGRAMS),--programs $(PROGRAMS)) $(if $(QUICK),--quick)

full-size: setup train-env ## A checkpoint of published size (CHECKPOINT=unpacked folder; random weights do with TAME=--tame) against torch, in f32
	cargo build --release --workspace
	mkdir -p $(FULL_SIZE) && rm -rf $(FULL_SIZE)/model
	PYTHONPATH=$(TRAINING) $(VENV)/bin/python -m timbre_training.published $(CHECKPOINT) $(FULL_SIZE)/vectors.npz $(TAME)
	target/release/timbred import $(CHECKPOINT) --name full-size --f32 --out $(FULL_SIZE)/model
	FULL_SIZE_MODEL=$(abspath $(FULL_SIZE)/model) FULL_SIZE_VECTORS=$(abspath $(FULL_SIZE)/vectors.npz) cargo test --release --workspace --test full_size -- --ignored --nocapture

$(DIFFUSERS_VENV)/ready: tests/diffusers/requirements.txt
	python3 -m venv $(DIFFUSERS_VENV)
	$(DIFFUSERS_VENV)/bin/pip install -q -r $<
	touch $@

# Each form of the weights as float32 and as int8, one at a time, so that the disk holds one model.
diffusers: setup $(DIFFUSERS_VENV)/ready ## A pipeline of SIZE (tiny, small, base) saved by diffusers, with a mel decoder, imported against diffusers itself (gigabytes)
	cargo build --release --workspace
	rm -rf $(DIFFUSERS)/$(SIZE) && mkdir -p $(DIFFUSERS)/$(SIZE)
	$(DIFFUSERS_VENV)/bin/python tests/diffusers/make_melgan.py $(DIFFUSERS)/$(SIZE)/mel_decoder
	HF_HUB_OFFLINE=1 $(DIFFUSERS_VENV)/bin/python tests/diffusers/make_reference.py $(DIFFUSERS)/$(SIZE) --size $(SIZE) --melgan $(DIFFUSERS)/$(SIZE)/mel_decoder
	set -e; for form in bin safetensors; do for allowed in 1e-4 5e-2; do \
	  rm -rf $(DIFFUSERS)/$(SIZE)/model; \
	  f32=$$([ $$allowed = 1e-4 ] && echo --f32 || true); \
	  time target/release/timbred import $(DIFFUSERS)/$(SIZE)/$$form --name $(SIZE) --out $(DIFFUSERS)/$(SIZE)/model $$f32; \
	  DIFFUSERS_MODEL=$(abspath $(DIFFUSERS)/$(SIZE)/model) DIFFUSERS_VECTORS=$(abspath $(DIFFUSERS)/$(SIZE)/vectors.npz) DIFFUSERS_ERROR=$$allowed \
	    cargo test --release --workspace --test diffusers -- --ignored --nocapture; \
	done; done

clean: ## Remove what was built
	cargo clean
	rm -rf $(VENV) $(DIFFUSERS_VENV) $(LISTEN_VENV) tests/osc_clients/node_modules tests/remote/node_modules demo.wav

.PHONY: quick deb deb-arm check-arm-deb repository check-repository help diffusers expression levels full-size setup run install test test-arm lint units unit osc-clients panel pictures remote remote-clients remote-garbage remote-load mutate corpus garbage soak golden doc deny fuzz latency rig rig-quick bench test-training train-env train evaluate-env evaluate drift listen-env listen clean
