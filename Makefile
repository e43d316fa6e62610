# Installs what `cargo build --release` has built:  sudo make install   or, for a package,  make install DESTDIR=root PREFIX=/usr
PREFIX ?= /usr/local
SYSTEMD ?= $(if $(filter /usr,$(PREFIX)),/usr/lib,/etc)/systemd
BINARY ?= target/release/jsonwarden

.PHONY: install
install:
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/jsonwarden
	for unit in jsonwarden.service jsonwarden@.service; do \
	    sed 's|/usr/local/bin/|$(PREFIX)/bin/|' systemd/$$unit | install -D -m 644 /dev/stdin $(DESTDIR)$(SYSTEMD)/system/$$unit || exit; \
	done
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' systemd/user/jsonwarden.service | install -D -m 644 /dev/stdin $(DESTDIR)$(SYSTEMD)/user/jsonwarden.service
	install -D -m 644 systemd/jsonwarden.catalog $(DESTDIR)/usr/lib/systemd/catalog/jsonwarden.catalog
	install -D -m 644 systemd/sysusers.d/jsonwarden.conf $(DESTDIR)/usr/lib/sysusers.d/jsonwarden.conf
	install -D -m 644 systemd/tmpfiles.d/jsonwarden.conf $(DESTDIR)/usr/lib/tmpfiles.d/jsonwarden.conf
	test -e $(DESTDIR)/etc/jsonwarden/jsonwarden.toml || install -D -m 644 config/jsonwarden.toml $(DESTDIR)/etc/jsonwarden/jsonwarden.toml
