//! Profiles on the command line: what is kept and where, who is asked first, what is never told.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bluum_hooks_tests::binary::{self, Run};
use bluum_hooks_tests::client::{Credentials, text};
use bluum_hooks_tests::daemon::{self, Daemon};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Somebody with a folder of their own, and no keyring.
struct User {
    folder: TempDir,
    key: Credentials,
    base: String,
}

impl User {
    async fn of(daemon: &Daemon) -> Self {
        let key = json!({"role": "tenant", "tenant": daemon.tenant_id()});
        let key = daemon.new_key(&key).await;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        Self { folder, key, base: daemon.base().to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("config/bluum-hooks/config.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary::command(arguments);
        command.env("XDG_CONFIG_HOME", self.path("config")).current_dir(self.folder.path());
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", self.path("bin")).env("TOOLS", path).env("KEPT", self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        binary::finish(self.command(arguments))
    }

    /// Runs `login` with this on its standard input.
    fn login(&self, arguments: &[&str], input: &str) -> Run {
        let command = self.command(&[&["login", "--base-url", &self.base], arguments].concat());
        binary::finish_reading(command, input)
    }

    fn pair(&self) -> String {
        format!("{}\n{}\n", self.key.key, self.key.secret)
    }
}

fn says(run: &Run, words: &[&str]) {
    for word in words {
        assert!(run.stderr.contains(word) || run.stdout.contains(word), "'{word}' in {run:?}");
    }
}

#[tokio::test]
async fn a_pair_is_kept_once_the_daemon_has_accepted_it_and_used_from_then_on() {
    let daemon = daemon::shared(&[]);
    let user = User::of(&daemon).await;
    let wrong = user.login(&[], &format!("{}\nwrong\n", user.key.key)).must_exit(3);
    says(&wrong, &["does not know this pair", "nothing was kept"]);
    assert!(!user.file().exists(), "what was refused is not kept");
    let away = user.login(&["--base-url", "http://127.0.0.1:9"], &user.pair());
    assert_eq!(away.status.code(), Some(2), "one --base-url is enough: {away:?}");

    fs::create_dir_all(user.file().parent().unwrap()).unwrap();
    fs::write(user.file(), "# mine\n[work]\nlistener = 'ana' # short\n").unwrap();
    let run = user.login(&[], &user.pair()).must_exit(0);
    says(&run, &[&user.key.key, "profile 'default'", "no keyring here", "config.toml"]);
    let file = fs::read_to_string(user.file()).unwrap();
    assert!(file.contains("# mine") && file.contains("# short"), "comments stay: {file}");
    assert!(file.contains(&user.key.secret), "{file}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(user.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "readable by its owner alone");
    }
    let who = user.run(&["whoami"]).must_exit(0);
    says(&who, &[&user.key.key, "profile 'default'", &user.base, "from the default"]);
    let all = format!("{run:?}{who:?}");
    assert!(!all.contains(&user.key.secret), "the secret is told nowhere");

    let out = user.run(&["logout"]).must_exit(0);
    says(&out, &["no longer holds", &user.key.key]);
    let file = fs::read_to_string(user.file()).unwrap();
    assert!(!file.contains(&user.key.secret) && file.contains("# short"), "{file}");
    let lost = user.run(&["whoami"]).must_exit(3);
    says(&lost, &["profile 'default' holds no key", "BLUUM_API_KEY is not set", "login`"]);
    says(&user.run(&["logout"]).must_exit(0), &["holds no key"]);
}

/// `env` over profile over default, and whoami says so of each.
#[tokio::test]
async fn flags_go_before_variables_before_profiles_before_defaults() {
    let daemon = daemon::shared(&[]);
    let user = User::of(&daemon).await;
    user.login(&["-p", "work", "--file"], &user.pair()).must_exit(0);
    let who = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = user.command(&[&["whoami", "--json"], arguments].concat());
        command.envs(variables.iter().copied());
        binary::finish(command).must_exit(0).json()
    };
    let from = |who: &Value, setting: &str| text(&who[setting], "from").to_owned();

    let told = who(&[("BLUUM_HOOKS_PROFILE", "work")], &[]);
    assert_eq!(from(&told, "profile"), "BLUUM_HOOKS_PROFILE");
    assert_eq!(text(&told, "key_from"), "profile 'work'");
    assert_eq!(text(&told, "base_url_from"), "profile 'work'");

    let elsewhere = ("BLUUM_HOOKS_PROFILE", "elsewhere");
    let told = who(&[elsewhere, ("BLUUM_BASE_URL", daemon.base())], &["-p", "work"]);
    assert_eq!(
        (from(&told, "profile"), text(&told, "base_url_from")),
        ("--profile".into(), "BLUUM_BASE_URL")
    );

    let operator = daemon.operator_key();
    let pair = [("BLUUM_API_KEY", &*operator.key), ("BLUUM_API_SECRET", &operator.secret)];
    let told = who(&pair, &["-p", "work", "--base-url", daemon.base()]);
    assert_eq!(
        (text(&told, "key_from"), text(&told, "secret_from")),
        ("BLUUM_API_KEY", "BLUUM_API_SECRET")
    );
    assert_eq!(
        (text(&told, "base_url_from"), &told["key"]["role"]),
        ("--base-url", &json!("operator"))
    );
    let told = who(&[("BLUUM_HOOKS_LISTENER", "ana")], &["-p", "work"]);
    assert_eq!(
        (text(&told["listener"], "value"), from(&told, "listener")),
        ("ana", "BLUUM_HOOKS_LISTENER".into())
    );

    let mut half = user.command(&["whoami", "-p", "work"]);
    half.env("BLUUM_API_KEY", &operator.key);
    says(&binary::finish(half).must_exit(3), &["BLUUM_API_SECRET is not set"]);
    says(
        &user.run(&["whoami", "-p", "wrok"]).must_exit(2),
        &["no profile 'wrok' (--profile)", "there is work", "login -p wrok"],
    );
    says(&user.run(&["whoami", "-p", "a b"]).must_exit(2), &["cannot name a profile"]);
    let mut shadowed = user.command(&["logout", "-p", "work"]);
    shadowed.env("BLUUM_API_KEY", &operator.key);
    says(&binary::finish(shadowed).must_exit(0), &["BLUUM_API_KEY is set, and is asked first"]);
}

#[tokio::test]
async fn the_project_is_shared_and_so_holds_no_key_and_says_nothing_of_whom_to_ask() {
    let daemon = daemon::shared(&[]);
    let user = User::of(&daemon).await;
    user.login(&["--file"], &user.pair()).must_exit(0);
    fs::create_dir(user.path(".git")).unwrap();
    let project = user.path("bluum-hooks.toml");
    fs::write(&project, "[listen]\ntargets = ['order.*=3000/in']\nsecret_env = 'S'\n").unwrap();
    let who = user.run(&["whoami"]).must_exit(0);
    says(&who, &["listen.targets = order.*=3000/in", "listen.secret_env = S", "bluum-hooks.toml"]);
    for (text, words) in [
        ("[listen]\nsecret_env = 'whsec_QUFB'", "is a key or a secret"),
        ("base_url = 'http://127.0.0.1:9'", "unknown field `base_url`"),
    ] {
        fs::write(&project, text).unwrap();
        let run = user.run(&["whoami"]).must_exit(2);
        says(&run, &[words, "bluum-hooks.toml"]);
        assert!(!run.stderr.contains("QUFB"), "{run:?}");
    }
    fs::remove_file(&project).unwrap();
    fs::write(user.file(), "[default]\napi_kye = 'x'\n").unwrap();
    says(&user.run(&["whoami"]).must_exit(2), &["config.toml at line 2", "api_kye"]);
}

/// A developer's first command: from then on nothing asks for a key; nobody's pair is replaced.
#[tokio::test]
async fn serve_keeps_the_key_of_a_new_database_in_a_profile_that_holds_none() {
    let daemon = daemon::shared(&[]);
    let user = User::of(&daemon).await;
    let serve = |database: &str| {
        let database = format!("sqlite:{}", user.path(database).display());
        user.command(&["serve", "--login", "--listen", "127.0.0.1:0", "--database", &database])
    };
    let who = |user: &User| user.run(&["whoami", "--json"]).must_exit(0).json();

    let (process, line) = daemon::first_line(serve("a.db"), user.folder.path());
    let first = who(&user);
    assert_eq!(
        (&first["key"]["role"], &first["key"]["livemode"]),
        (&json!("tenant"), &json!(false))
    );
    assert_eq!(line, format!("listening on {}", text(&first, "base_url")));
    let shown = fs::read_to_string(user.path("log")).unwrap();
    assert!(shown.contains("Operator") && !shown.contains("Tenant"), "shown once: {shown}");
    drop(process);

    let (process, _) = daemon::first_line(serve("a.db"), user.folder.path());
    let again = who(&user);
    assert_eq!(again["key"]["id"], first["key"]["id"]);
    assert_ne!(again["base_url"], first["base_url"], "another port");
    drop(process);

    let run = binary::finish(serve("b.db")).must_exit(2);
    says(&run, &["profile 'default' in", "holds apk_", "-p NAME", "logout"]);
    assert!(!user.path("b.db").exists(), "keys that nobody sees are not made");
    user.run(&["logout"]).must_exit(0);
    let run = binary::finish(serve("a.db")).must_exit(2);
    says(&run, &["this one has had its own", "bluum-hooks login", "keys create"]);
}

/// No terminal, so nothing is asked; what is missing is named.
#[tokio::test]
async fn without_a_terminal_nothing_is_asked() {
    let daemon = daemon::shared(&[]);
    let user = User::of(&daemon).await;
    for (arguments, input, words) in [
        (vec![], "", "the key is missing on standard input"),
        (vec![], &*user.key.key, "the secret is missing on standard input"),
        (vec![&*user.key.key, "--with-secret"], "\n", "the secret is missing"),
    ] {
        let run = user.login(&arguments, input).must_exit(2);
        says(&run, &[words, "on a line each"]);
        assert_eq!(run.stdout, "");
    }
    let run = user.login(&[&user.key.key, "--with-secret", "--json"], &user.key.secret);
    let told = run.must_exit(0).json();
    assert_eq!((text(&told, "profile"), text(&told["key"], "id")), ("default", &*user.key.key));
}

/// A program that keeps what `secret-tool` keeps, in files.
#[cfg(target_os = "linux")]
fn with_keyring(user: &User) {
    use std::os::unix::fs::PermissionsExt;
    let script = "#!/bin/sh\nPATH=$TOOLS\nfor key; do :; done\necho \"$*\" >> \"$KEPT/asked\"\n\
        case $1 in\nstore) cat > \"$KEPT/$key\" ;;\nlookup) cat \"$KEPT/$key\" 2>/dev/null ;;\n\
        clear) rm -f \"$KEPT/$key\" ;;\nesac\n";
    let tool = user.path("bin/secret-tool");
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_there_is_a_keyring_the_secret_is_there_and_nowhere_else() {
    let daemon = daemon::shared(&[]);
    let user = User::of(&daemon).await;
    with_keyring(&user);
    let run = user.login(&[], &user.pair()).must_exit(0);
    says(&run, &["secret in the keyring"]);
    assert!(!fs::read_to_string(user.file()).unwrap().contains(&user.key.secret));
    assert_eq!(fs::read_to_string(user.path(&user.key.key)).unwrap(), user.key.secret);
    let asked = fs::read_to_string(user.path("asked")).unwrap();
    assert!(!asked.contains(&user.key.secret), "never an argument: {asked}");
    says(&user.run(&["whoami"]).must_exit(0), &["from the keyring"]);

    user.login(&["--file"], &user.pair()).must_exit(0);
    assert!(fs::read_to_string(user.file()).unwrap().contains(&user.key.secret));
    user.login(&[], &user.pair()).must_exit(0);
    fs::remove_file(user.path(&user.key.key)).unwrap();
    says(&user.run(&["whoami"]).must_exit(3), &["is not in the keyring", "login -p default"]);
    user.login(&[], &user.pair()).must_exit(0);
    user.run(&["logout"]).must_exit(0);
    assert!(!user.path(&user.key.key).exists(), "forgotten there too");
}
