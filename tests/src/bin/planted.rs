//! Plants each bug of the list in a copy of the workspace, and lets the simulated world look for
//! it: `planted [PART OF A NAME]`. Prints how many seeds it took; fails if one is not found.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use bluum_hooks_tests::binary::workspace;
use bluum_hooks_tests::sim::planted::{BUGS, Bug};
use bluum_hooks_tests::tidy;

type Failure = Box<dyn std::error::Error>;

/// A bug that is not found in so many is not found.
const SEEDS: &str = "2000";

fn main() -> Result<ExitCode, Failure> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    // This program runs as <target>/<profile>/planted.
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).ok_or("there is no target folder")?;
    let copy = target.join("planted");
    let mut missed = 0;
    for bug in BUGS.iter().filter(|bug| bug.name.contains(&wanted)) {
        // What was planted before is taken out again.
        copy_workspace(&copy)?;
        plant(&copy, bug)?;
        build(&copy, target)?;
        let sim = target.join("debug").join(format!("sim{}", std::env::consts::EXE_SUFFIX));
        let run = Command::new(sim).args(["--seeds", SEEDS]).output()?;
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let found =
            said.lines().find(|line| line.starts_with("seed ")).filter(|_| !run.status.success());
        missed += usize::from(found.is_none());
        let found: String = found.unwrap_or("NOT FOUND").chars().take(100).collect();
        println!("{:40} {found}", bug.name);
    }
    copy_workspace(&copy)?;
    build(&copy, target)?;
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes what is different there; the rest need not be compiled again.
fn copy_workspace(copy: &Path) -> Result<(), Failure> {
    let lock = workspace().join("Cargo.lock");
    let lock = tidy::File::new("Cargo.lock", &fs::read_to_string(lock)?);
    for tidy::File { path, text } in tidy::read(workspace()).into_iter().chain([lock]) {
        let place = copy.join(path);
        if fs::read_to_string(&place).is_ok_and(|there| there == text) {
            continue;
        }
        fs::create_dir_all(place.parent().ok_or("a file without a folder")?)?;
        fs::write(place, text)?;
    }
    Ok(())
}

fn plant(copy: &Path, bug: &Bug) -> Result<(), Failure> {
    let place = copy.join(bug.file);
    let sound = fs::read_to_string(&place)?;
    fs::write(place, sound.replacen(bug.sound, bug.broken, 1))?;
    Ok(())
}

fn build(copy: &Path, target: &Path) -> Result<(), Failure> {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells this program about itself would look to the build scripts like a change.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    let built = cargo
        .args(["build", "--quiet", "--package", "bluum-hooks-tests", "--bin", "sim"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(copy)
        .status()?;
    if built.success() { Ok(()) } else { Err("the copy does not build".into()) }
}
