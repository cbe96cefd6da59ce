//! Who listens: the name that has a place in the stream, and this process among others.

use std::env;

use sha2::{Digest, Sha256};

use crate::cli::failure::{Failure, Status};
use crate::random::Random;

/// The longest name.
const MAX_NAME: usize = 64;

/// This process, as others who want the same name see it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// Drawn at random once: a stream of the same instance replaces its predecessor.
    pub(super) instance: String,
    pub(super) machine: String,
    pub(super) pid: u32,
}

impl Identity {
    pub(super) fn new(random: &dyn Random) -> Self {
        let instance = format!("{:032x}", random.bits());
        Self { instance, machine: machine(), pid: std::process::id() }
    }
}

/// The name given, or `user@host`.
pub(super) fn name(given: Option<&str>) -> Result<String, Failure> {
    let usable = |letter: char| letter.is_ascii_alphanumeric() || "._@-".contains(letter);
    let fits = |name: &str| {
        let long = (1..=MAX_NAME).contains(&name.len());
        long && name.chars().all(usable) && !name.starts_with('.')
    };
    match given {
        Some(name) if fits(name) => Ok(name.to_owned()),
        Some(name) => {
            let next = format!(
                "1 to {MAX_NAME} letters, digits and '_', '@', '-', '.', but no '.' in front"
            );
            Err(Failure::new(Status::Usage, format!("'{name}' is no name")).then(next))
        }
        None => {
            let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| env::var(name).ok());
            let user = user.filter(|user| !user.is_empty()).unwrap_or_else(|| "me".to_owned());
            let name = format!("{user}@{}", host());
            let plain = name.chars().map(|letter| if usable(letter) { letter } else { '-' });
            Ok(plain.take(MAX_NAME).collect())
        }
    }
}

fn host() -> String {
    #[cfg(unix)]
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let host = env::var("COMPUTERNAME").unwrap_or_default();
    let short = host.split('.').next().unwrap_or_default();
    if short.is_empty() { "localhost".to_owned() } else { short.to_lowercase() }
}

/// The host's name and what tells it from others of that name: only here a process id means
/// something.
fn machine() -> String {
    let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        (!text.trim().is_empty()).then_some(text)
    });
    // Containers share the id of their image, and have processes of their own.
    let processes = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let both = format!("{}\n{}", id.unwrap_or_default(), processes.display());
    format!("{}-{}", host(), hex::encode(&Sha256::digest(both)[..4]))
}

/// Whether a process of this machine has ended. Where that cannot be found out, it lives.
pub(super) fn is_dead(pid: u32) -> bool {
    #[cfg(unix)]
    {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let alive = pid.map(rustix::process::test_kill_process);
        alive == Some(Err(rustix::io::Errno::SRCH))
    }
    #[cfg(not(unix))]
    {
        let _ = pid;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_dispatcher_takes() {
        assert_eq!(name(Some("ana@laptop_1.x-y")).unwrap(), "ana@laptop_1.x-y");
        for bad in ["", ".x", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(name(Some(bad)).is_err(), "{bad}");
        }
        let usual = name(None).unwrap();
        assert!(usual.contains('@') && name(Some(&usual)).is_ok(), "{usual}");
    }

    #[test]
    fn this_process_lives() {
        assert!(!is_dead(std::process::id()));
        #[cfg(unix)]
        assert!(is_dead(i32::MAX.unsigned_abs()));
    }
}
