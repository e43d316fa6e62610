//! The real binary on real files: one test binary, a module a promise.
//!
//! The tests wait for conditions with a deadline and assert bytes, counts and the 30 s bound; times are printed, never asserted.
//! `JSONWARDEN_LONG=1` asks for the long modes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

mod absent;
mod agreeing;
mod attributes;
mod bad_input;
mod bare;
mod bus;
mod by_hand;
mod checking;
mod commands;
mod cooperating;
mod contending;
mod corpus;
mod damage;
mod following;
mod full;
mod editing;
mod execing;
mod garbage;
mod growing;
mod hardened;
mod health;
mod house;
mod journal;
mod kept_open;
mod kubernetes;
mod leaseless;
mod links;
mod lives;
mod living;
mod loss;
mod matrix;
mod meant;
mod monitoring;
mod locks;
mod numbering;
mod ordinary;
mod packages;
mod page;
mod patching;
mod prospects;
mod readme;
mod refusing;
mod reloading;
mod restarting;
mod retention;
mod schemas;
mod scrape;
mod socket;
mod starting;
mod steering;
mod systemd;
mod strangers;
mod suspicion;
mod units;
mod unrecorded;
mod writers;
