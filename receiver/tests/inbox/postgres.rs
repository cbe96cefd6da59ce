//! A PostgreSQL server of the tests' own, on a Unix socket in a temporary folder.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

/// Starts the server, waits for the end of its input, and cleans up. The input is a pipe from the
/// tests, which ends when they do, however they do.
const KEEPER: &str = r#"
    trap '' HUP INT PIPE TERM
    cd "$2"
    if "$1/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync >log 2>&1 &&
        "$1/pg_ctl" -D data -l log -w -o "-k $2 -c listen_addresses= -c fsync=off" start >start 2>&1
    then
        echo ready
        cat >/dev/null
        "$1/pg_ctl" -D data -m immediate stop >stop 2>&1
    else
        tail log
    fi
    cd /
    rm -rf "$2"
"#;

struct Server {
    folder: PathBuf,
    _keeper: Child,
}

static SERVER: LazyLock<Server> = LazyLock::new(start);

/// The folder of the server's socket. Starts the server, the first time.
pub(crate) fn socket() -> &'static PathBuf {
    &SERVER.folder
}

fn start() -> Server {
    let folder = tempfile::Builder::new().prefix("inbox-postgres-").tempdir().unwrap().keep();
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "sh"]).arg(programs()).arg(&folder);
    // PostgreSQL does not run as root.
    if folder.metadata().unwrap().uid() == 0 {
        let (user, group) = unprivileged();
        chown(&folder, Some(user), Some(group)).unwrap();
        keeper.uid(user).gid(group);
    }
    let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(keeper.stdout.take().unwrap());
    let mut said = String::new();
    output.read_line(&mut said).unwrap();
    if said != "ready\n" {
        output.read_to_string(&mut said).unwrap();
        panic!("PostgreSQL does not start: {said}");
    }
    Server { folder, _keeper: keeper }
}

/// The folder with `initdb` and `pg_ctl`: Debian has one for each version, and none in the `PATH`.
fn programs() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = debian.chain(std::env::split_paths(&path));
    folders
        .find(|folder| folder.join("initdb").exists())
        .expect("PostgreSQL is missing: apt-get install postgresql")
}

/// The numbers of the user `postgres`, or else of nobody.
fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = users.lines().find(|line| line.starts_with("postgres:"));
    let mut numbers = user.into_iter().flat_map(|line| line.split(':').skip(2));
    let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or(65534);
    (next(), next())
}
