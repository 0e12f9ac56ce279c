//! What does a Dockerfile make, where nobody has Docker? Its steps, done by hand in a folder.
//!
//! `FROM` of the last stage becomes the libraries that the binary names, which is what the distroless image
//! has; the compiling step is left to whoever has built the binary already.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Nobody, by the number that distroless gives them.
const NONROOT: &str = "65532:65532";

/// A file system, and how to start what is in it.
pub(crate) struct Image {
    root: PathBuf,
    environment: BTreeMap<String, String>,
    pub(crate) user: String,
    pub(crate) command: Vec<String>,
    pub(crate) health: Vec<String>,
}

impl Image {
    /// Does what the last stage of a Dockerfile says. `binary` is what its first stage would build.
    pub(crate) fn build(dockerfile: &str, binary: &Path) -> Self {
        let root = std::env::temp_dir().join(format!("larder-image-{}", std::process::id()));
        let mut image = Self {
            root,
            environment: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
            user: String::new(),
            command: Vec::new(),
            health: Vec::new(),
        };
        let mut stages = 0;
        for step in steps(dockerfile) {
            let (word, rest) = step.split_once(' ').expect("an instruction and what it is about");
            match (word, stages) {
                ("FROM", _) => stages += 1,
                ("WORKDIR", 1) => assert_eq!(rest, "/src"),
                ("COPY", 1) => assert_eq!(rest, ". ."),
                ("ENV", 1) => assert!(rest.starts_with("CARGO_PROFILE_RELEASE_"), "{rest}"),
                ("RUN", 1) => assert_eq!(rest, "cargo build --locked --release --bin larder"),
                ("COPY", 2) => image.copy(rest, binary),
                ("ENV", 2) => image.set(rest),
                ("USER", 2) => rest.clone_into(&mut image.user),
                ("EXPOSE", 2) => assert!(rest.parse::<u16>().is_ok()),
                ("HEALTHCHECK", 2) => image.health = list(rest.split_once("CMD ").expect("a command").1),
                ("ENTRYPOINT" | "CMD", 2) => image.command.extend(list(rest)),
                _ => panic!("this test does not know how to do: {step}"),
            }
        }
        assert_eq!(stages, 2, "one that builds and one that runs");
        image.add_libraries(binary);
        image
    }

    /// Whether we may change the root.
    pub(crate) fn can_run(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    /// A command in it, as the user it says.
    pub(crate) fn run(&self, command: &[String], variables: &[(&str, &str)]) -> Command {
        let mut run = Command::new("/usr/sbin/chroot");
        run.arg(format!("--userspec={NONROOT}")).arg("--groups=").arg(&self.root).args(command);
        run.env_clear().envs(&self.environment).envs(variables.iter().copied());
        run.stdin(Stdio::null()).stderr(Stdio::null());
        run
    }

    fn copy(&self, rest: &str, binary: &Path) {
        let words: Vec<&str> = rest.split(' ').collect();
        let (from, to) = match words.as_slice() {
            ["--from=build", "/src/target/release/larder", to] => (binary.to_owned(), to),
            [from, to] => (Path::new(env!("CARGO_MANIFEST_DIR")).join(from), to),
            _ => panic!("COPY {rest}"),
        };
        self.place(&from, to);
    }

    fn place(&self, from: &Path, to: &str) {
        let to = self.root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a folder")).unwrap();
        fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }

    fn set(&mut self, rest: &str) {
        for pair in rest.split_whitespace() {
            let (name, value) = pair.split_once('=').expect("NAME=value");
            self.environment.insert(name.to_owned(), value.to_owned());
        }
    }

    /// What the binary needs to start: nothing but glibc, or the base would be the wrong one.
    fn add_libraries(&self, binary: &Path) {
        let told = Command::new("ldd").arg(binary).output().expect("ldd runs");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        for path in told.split_whitespace().filter(|word| word.starts_with('/')) {
            let name = path.rsplit('/').next().unwrap_or_default();
            let of_base = ["libc.", "libm.", "libgcc_s.", "ld-linux", "libpthread.", "libdl.", "librt."];
            assert!(of_base.iter().any(|known| name.starts_with(known)), "{name} is not in distroless/cc");
            self.place(Path::new(path), path);
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.root);
    }
}

/// The instructions, each in a line.
fn steps(dockerfile: &str) -> Vec<String> {
    let lines = dockerfile.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let whole = lines.fold(String::new(), |whole, line| match line.strip_suffix('\\') {
        Some(begun) => whole + begun,
        None => whole + line + "\n",
    });
    whole.lines().map(str::to_owned).collect()
}

/// `["larder", "serve"]`.
fn list(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}
