//! What a partner takes in with the receiver.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::collections::BTreeSet;
use std::process::Command;

use bluum_hooks_tests::binary::workspace;

/// The crate of a line, without its version.
fn name(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// Everything that is compiled with a package, itself included.
fn crates(arguments: &[&str]) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none"]);
    command.args(["--no-dedupe", "--format", "{p}"]).args(arguments).current_dir(workspace());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_receiver_takes_in_twenty_crates_at_most() {
    let crates = crates(&["--package", "bluum-hooks-receiver"]);
    assert!(crates.len() > 5, "the tree was not read: {crates:#?}");
    assert!(crates.len() <= 20, "{} crates: {crates:#?}", crates.len());
}

/// Without the daemon's, that is: no server, no client, no TLS.
#[test]
fn not_even_with_axum_does_a_receiver_take_in_a_server() {
    let crates = crates(&["--package", "bluum-hooks-receiver", "--features", "axum"]);
    for name in ["hyper", "rustls", "ring", "axum", "sqlx", "reqwest", "clap"] {
        assert_eq!(crates.iter().find(|line| self::name(line) == name), None);
    }
}

/// What tests bring along stays there: the daemon has one TLS stack, one cryptography under it,
/// and one calendar.
#[test]
fn the_daemon_has_one_crate_for_one_thing() {
    let crates = crates(&["--package", "bluum-hooks-dispatcher", "--all-features"]);
    assert!(crates.iter().any(|line| name(line) == "ring"), "the tree was not read: {crates:#?}");
    for other in ["aws-lc-rs", "aws-lc-sys", "openssl", "native-tls", "chrono", "svix"] {
        assert_eq!(crates.iter().find(|line| name(line) == other), None);
    }
}
