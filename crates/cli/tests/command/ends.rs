//! How it ends: exit code 0 after a signal, 2 for usage or configuration, 1 otherwise, and one clear sentence each.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};

use rustix::process::Signal;

use crate::process::{Ottla, api_versions, connect, parts, port};

#[test]
fn both_signals_stop_it_though_clients_are_connected() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut ottla = Ottla::run(&["serve", "--listen", "127.0.0.1:0"]);
        let (address, ..) = parts(&ottla.ready());
        let mut silent = connect((Ipv4Addr::LOCALHOST, port(&address)));
        let mut asking = connect((Ipv4Addr::LOCALHOST, port(&address)));
        api_versions(&mut asking);
        ottla.signal(signal);
        ottla.end().check(0, &["stopping"]);
        for stream in [&mut silent, &mut asking] {
            assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)), "the connection is closed");
        }
    }
}

#[test]
fn a_second_broker_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let mut first = Ottla::run(&["serve", "--listen", "127.0.0.1:0"]);
    let (address, ..) = parts(&first.ready());
    let second = Ottla::run_in(&first.folder, &["serve", "--listen", "127.0.0.1:0"], &[]);
    second.end().check(1, &["error: ", "./ottla-data", "in use by another broker", "--data"]);
    api_versions(&mut connect((Ipv4Addr::LOCALHOST, port(&address))));
}

#[test]
fn a_folder_is_free_again_after_kill_9() {
    let mut first = Ottla::run(&["serve", "--listen", "127.0.0.1:0"]);
    first.ready();
    first.signal(Signal::KILL);
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::rename(first.folder.join("ottla-data"), &data).expect("moved");
    assert_eq!(first.end().code, None, "killed");
    let data = data.to_str().expect("a readable path");
    let mut second = Ottla::run(&["serve", "--listen", "127.0.0.1:0", "--data", data]);
    second.ready();
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ottla = Ottla::run(&["serve", "--listen", &address, "--storage", "memory"]);
    ottla.end().check(1, &["error: ", &address, "--listen"]);
}

#[test]
fn a_folder_it_may_not_write_is_named() {
    // Not even root may make a folder there.
    let ottla = Ottla::run(&["serve", "--listen", "127.0.0.1:0", "--data", "/proc/ottla-data"]);
    ottla.end().check(1, &["error: ", "/proc/ottla-data", "cannot be written", "--data"]);
}

#[test]
fn a_file_in_place_of_the_folder_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("file"), "no folder").expect("a file");
    let ottla = Ottla::run_in(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data", "file"], &[]);
    ottla.end().check(1, &["error: ", "file", "cannot be a data folder", "--data"]);
    let below = Ottla::run_in(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data", "file/below"], &[]);
    below.end().check(1, &["error: ", "file/below", "cannot be a data folder", "--data"]);
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).expect("a link");
    let link = Ottla::run_in(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data", "link"], &[]);
    link.end().check(1, &["error: ", "link", "cannot be a data folder", "--data"]);
}

#[test]
fn a_configuration_file_that_is_not_there_is_named_with_what_to_do() {
    let ottla = Ottla::run(&["serve", "--config", "/nowhere/server.properties"]);
    ottla.end().check(2, &["error: ", "/nowhere/server.properties", "No such file", "--config"]);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    Ottla::run(&[]).end().check(2, &["Usage: ottla"]);
    Ottla::run(&["serf"]).end().check(2, &["unrecognized subcommand 'serf'", "serve"]);
    Ottla::run(&["serve", "--lissen", "a:1"]).end().check(2, &["--lissen", "--listen"]);
    Ottla::run(&["serve", "--listen", "localhost"]).end().check(2, &["error: ", "localhost:9092"]);
    Ottla::run(&["serve", "--storage", "tape"]).end().check(2, &["error: ", "tape", "memory"]);
}

#[test]
fn a_log_filter_that_is_none_is_exit_code_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let ottla = Ottla::run_in(folder.path(), &["serve"], &[("OTTLA_LOG", "ottla=loud")]);
    ottla.end().check(2, &["error: OTTLA_LOG=ottla=loud is not a log filter"]);
}

#[test]
fn version_and_help_go_to_stdout() {
    let version = Ottla::run(&["--version"]).end();
    assert_eq!((version.code, version.stdout.as_str()), (Some(0), concat!("ottla ", env!("CARGO_PKG_VERSION"), "\n")));
    let help = Ottla::run(&["serve", "--help"]).end();
    assert_eq!(help.code, Some(0));
    for flag in ["--listen", "--advertise", "--data", "--storage", "--config", "--set"] {
        assert!(help.stdout.contains(flag), "{flag} is not in the help");
    }
}
