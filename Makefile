# Installs what `cargo build --release` has built:
#
#   sudo make install                     to /usr/local, /etc/systemd stays yours
#   make install DESTDIR=root PREFIX=/usr for a package
#   sudo make uninstall                   takes all of it away, but neither configuration nor backups
#   make image                            a container image; cargo deb makes a Debian package
#   make bench                            what it costs beside what else does the work: one table (BENCH='--quick scrape write')
#   make pages                            writes packaging/jsonwarden.1 again, after a change of the command line
PREFIX ?= /usr/local
BINARY ?= target/release/jsonwarden
MUSL ?= $(shell uname -m)-unknown-linux-musl
# As people name an image: 0.1
VERSION := $(shell sed -n 's/^version = "\([0-9]*\.[0-9]*\).*/\1/p' Cargo.toml)

share := $(DESTDIR)$(PREFIX)/share
units := $(DESTDIR)$(PREFIX)/lib/systemd
# What systemd reads from here alone.
vendor := $(DESTDIR)/usr/lib
# The units name the program where packages have it.
place = sed 's|/usr/bin/jsonwarden|$(PREFIX)/bin/jsonwarden|' $(1) | install -D -m 644 /dev/stdin $(2)

.PHONY: install uninstall image bench pages
install:
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/jsonwarden
	$(call place,systemd/jsonwarden.service,$(units)/system/jsonwarden.service)
	$(call place,systemd/jsonwarden@.service,$(units)/system/jsonwarden@.service)
	$(call place,systemd/user/jsonwarden.service,$(units)/user/jsonwarden.service)
	install -D -m 644 systemd/jsonwarden.catalog $(vendor)/systemd/catalog/jsonwarden.catalog
	install -D -m 644 systemd/sysusers.d/jsonwarden.conf $(vendor)/sysusers.d/jsonwarden.conf
	install -D -m 644 systemd/tmpfiles.d/jsonwarden.conf $(vendor)/tmpfiles.d/jsonwarden.conf
	install -D -m 644 packaging/jsonwarden.1 $(share)/man/man1/jsonwarden.1
	install -D -m 644 packaging/completions/jsonwarden.bash $(share)/bash-completion/completions/jsonwarden
	install -D -m 644 packaging/completions/_jsonwarden $(share)/zsh/site-functions/_jsonwarden
	install -D -m 644 packaging/completions/jsonwarden.fish $(share)/fish/vendor_completions.d/jsonwarden.fish
	test -e $(DESTDIR)/etc/jsonwarden/jsonwarden.toml || install -D -m 644 config/jsonwarden.toml $(DESTDIR)/etc/jsonwarden/jsonwarden.toml
ifeq ($(DESTDIR),)
	-command -v systemd-sysusers >/dev/null && systemd-sysusers jsonwarden.conf && systemd-tmpfiles --create jsonwarden.conf
	-command -v journalctl >/dev/null && journalctl --update-catalog
	-test ! -d /run/systemd/system || systemctl daemon-reload
endif

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/jsonwarden $(units)/system/jsonwarden.service $(units)/system/jsonwarden@.service \
	    $(units)/user/jsonwarden.service $(vendor)/systemd/catalog/jsonwarden.catalog $(vendor)/sysusers.d/jsonwarden.conf \
	    $(vendor)/tmpfiles.d/jsonwarden.conf $(share)/man/man1/jsonwarden.1 $(share)/bash-completion/completions/jsonwarden \
	    $(share)/zsh/site-functions/_jsonwarden $(share)/fish/vendor_completions.d/jsonwarden.fish
ifeq ($(DESTDIR),)
	-command -v journalctl >/dev/null && journalctl --update-catalog
	-test ! -d /run/systemd/system || systemctl daemon-reload
endif
	@printf 'left as they are: %s\n' /etc/jsonwarden '/var/lib/jsonwarden* (the backups)' \
	    '/etc/systemd/system/jsonwarden*.d (drop-ins)' 'the user jsonwarden'

image:
	cargo build --release --locked --target $(MUSL)
	buildah bud --network none --build-arg BINARY=target/$(MUSL)/release/jsonwarden -t jsonwarden -t jsonwarden:$(VERSION) .

bench:
	cargo run --release --locked --manifest-path benches/Cargo.toml --target-dir target -- $(BENCH)

pages:
	$(BINARY) man >packaging/jsonwarden.1
