//! Who may connect: names and passwords.
//!
//! One user's password may be given as it is, or a users file holds salted hashes, one `name:hash` a line (argon2id in
//! its usual text form; `#` starts a comment). Checking a hash costs tens of milliseconds by design, so it is done away from
//! the event loop ([`checks`]), and a password that was right once is remembered under a keyed digest for as long as the
//! process lives: a client's reconnects and its pool of connections cost nothing. Every check takes the same time
//! whether the name exists or not, and compares without leaving early.

pub mod checks;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

use crate::config::{Authentication, NAME_BYTES_MAX};
use crate::error::{Error, Kind, Result};

/// The longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// The users of a server.
pub struct Users {
    /// Name to secret.
    secrets: HashMap<String, Secret>,
    /// Checked when a name is unknown, so that the answer takes as long as for a known one.
    decoy: Secret,
    /// Digests of passwords that were right, by name. Held for one lookup or insertion only.
    proven: Mutex<HashMap<String, [u64; 2]>>,
    digest_keys: [RandomState; 2],
}

enum Secret {
    /// The password itself.
    Plain(Vec<u8>),
    /// An argon2 hash in its text form.
    Hash(String),
}

impl Users {
    /// The users that a configuration names; none if everybody may connect.
    ///
    /// # Errors
    /// The users file cannot be read, or a line of it is no user; the message names file and line.
    pub fn load(authentication: &Authentication) -> io::Result<Option<Self>> {
        match authentication {
            Authentication::None => Ok(None),
            Authentication::One { name, password } => {
                let secrets = HashMap::from([(name.clone(), Secret::Plain(password.clone().into_bytes()))]);
                Ok(Some(Self::new(secrets, Secret::Plain(Vec::new()))))
            }
            Authentication::File(path) => {
                let secrets = read_file(path)?
                    .into_iter()
                    .map(|(name, hash)| (name, Secret::Hash(hash)))
                    .collect::<HashMap<_, _>>();
                let decoy = hash_password("").map_err(io::Error::other)?;
                Ok(Some(Self::new(secrets, Secret::Hash(decoy))))
            }
        }
    }

    fn new(secrets: HashMap<String, Secret>, decoy: Secret) -> Self {
        let digest_keys = [RandomState::new(), RandomState::new()];
        Self { secrets, decoy, proven: Mutex::new(HashMap::new()), digest_keys }
    }

    /// Whether `password` is that of the user `name`.
    pub fn check(&self, name: &str, password: &str) -> bool {
        if let Some(right) = self.known(name, password) {
            return right;
        }
        let Some(secret) = self.secrets.get(name) else {
            let _same_time = self.decoy.matches(password);
            return false;
        };
        let right = secret.matches(password);
        if right {
            self.proven.lock().insert(name.to_owned(), self.digest(password));
        }
        right
    }

    /// The same, where that takes no hash.
    fn known(&self, name: &str, password: &str) -> Option<bool> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Some(false);
        }
        let secret = self.secrets.get(name);
        match secret.unwrap_or(&self.decoy) {
            secret_or_decoy @ Secret::Plain(_) => Some(secret_or_decoy.matches(password) & secret.is_some()),
            Secret::Hash(_) => {
                let digest = self.digest(password);
                let proven = self.proven.lock().get(name).is_some_and(|known| bool::from(known.ct_eq(&digest)));
                proven.then_some(true)
            }
        }
    }

    fn digest(&self, password: &str) -> [u64; 2] {
        self.digest_keys.each_ref().map(|key| key.hash_one(password))
    }

    /// Checks what a handshake brought along: `kind` of authentication, user and password. None: whether the password is
    /// right takes a hash, which [`Self::check`] makes.
    ///
    /// # Errors
    /// [`Kind::UnsupportedAuthentication`] for a kind other than `basic`, else [`Kind::InvalidCredentials`].
    pub fn authenticate(&self, kind: Option<&str>, name: &str, password: &str) -> Result<Option<Arc<str>>> {
        match kind {
            Some(kind) if !kind.eq_ignore_ascii_case("basic") => {
                Err(Error::new(Kind::UnsupportedAuthentication, format!("Unsupported authentication type: {kind}")))
            }
            Some(_) => match self.known(name, password) {
                Some(true) => Ok(Some(name.into())),
                Some(false) => Err(refused()),
                None => Ok(None),
            },
            None => Err(refused()),
        }
    }
}

/// What a client is told that is not let in.
pub fn refused() -> Error {
    Error::new(Kind::InvalidCredentials, "Authentication failed")
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("count", &self.secrets.len()).finish_non_exhaustive()
    }
}

impl Secret {
    fn matches(&self, given: &str) -> bool {
        match self {
            Self::Plain(password) => same_bytes(password, given.as_bytes()),
            Self::Hash(text) => PasswordHash::new(text)
                .is_ok_and(|hash| Argon2::default().verify_password(given.as_bytes(), &hash).is_ok()),
        }
    }
}

/// Whether `given` is `expected`, in a time that depends on the length of `expected` alone.
fn same_bytes(expected: &[u8], given: &[u8]) -> bool {
    let same_length = expected.len().ct_eq(&given.len());
    let given = given.iter().copied().chain(std::iter::repeat(0));
    let same = expected.iter().zip(given).fold(Choice::from(1), |same, (e, g)| same & e.ct_eq(&g));
    bool::from(same_length & same)
}

/// The line of a users file for a password: salted, and slow to guess from.
///
/// # Errors
/// The password is longer than [`PASSWORD_BYTES_MAX`].
pub fn hash_password(password: &str) -> Result<String> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("The password has {} bytes, the limit is {PASSWORD_BYTES_MAX}", password.len()),
        ));
    }
    let salt = SaltString::generate(&mut OsRng);
    // 19 MiB and two passes: what OWASP's password storage guide asks for at least.
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|e| Error::new(Kind::Internal, format!("The password cannot be hashed: {e}")))
}

/// Adds a user to a users file, or changes the password of one that is there. The file is created readable by its
/// owner only, and replaced in one step.
///
/// # Errors
/// The name is empty, too long, or has a character that the file cannot hold; the file cannot be read or written.
pub fn add_user(path: &Path, name: &str, password: &str) -> io::Result<()> {
    check_name(name).map_err(|reason| io::Error::new(io::ErrorKind::InvalidInput, reason))?;
    let hash = hash_password(password).map_err(io::Error::other)?;
    let mut users = match read_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        users => users?,
    };
    users.retain(|(existing, _)| existing != name);
    users.push((name.to_owned(), hash));
    let mut text = String::from("# Users of flint, one name:hash a line; changed by `flint user add`.\n");
    for (name, hash) in users {
        let _infallible = writeln!(text, "{name}:{hash}");
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    write_private(Path::new(&draft), &text)?;
    fs::rename(&draft, path)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Names and hashes, in the order of the file.
fn read_file(path: &Path) -> io::Result<Vec<(String, String)>> {
    let text = fs::read_to_string(path)
        .map_err(|e| io::Error::new(e.kind(), format!("the users file {} cannot be read: {e}", path.display())))?;
    let mut users: Vec<(String, String)> = Vec::new();
    for (index, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |reason: &str| {
            let place = format!("{} line {index}: {reason}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, place)
        };
        let (name, hash) = line.split_once(':').ok_or_else(|| bad("expected name:hash"))?;
        check_name(name).map_err(|reason| bad(&reason))?;
        let parsed = PasswordHash::new(hash).map_err(|e| bad(&format!("the hash of {name} is damaged: {e}")))?;
        if parsed.algorithm.as_str() != "argon2id" {
            return Err(bad(&format!("the hash of {name} is not argon2id")));
        }
        if users.iter().any(|(existing, _)| existing == name) {
            return Err(bad(&format!("the user {name} is there twice")));
        }
        users.push((name.to_owned(), hash.to_owned()));
    }
    Ok(users)
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("a user name has 1 to {NAME_BYTES_MAX} bytes, not {}", name.len()));
    }
    if name.starts_with('#') || name.trim() != name || name.contains(|c: char| c == ':' || c.is_control()) {
        return Err(format!("the user name {name:?} has a character that the users file cannot hold"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Users {
        let one = Authentication::One { name: "admin".into(), password: "s3cret".into() };
        Users::load(&one).unwrap().unwrap()
    }

    #[test]
    fn one_user_is_checked() {
        let users = one();
        assert!(users.check("admin", "s3cret"));
        for (name, password) in [
            ("admin", "s3cre"),
            ("admin", "s3cret0"),
            ("admin", "s3cret\0"),
            ("admin", ""),
            ("root", "s3cret"),
            ("", ""),
        ] {
            assert!(!users.check(name, password), "{name} {password}");
        }
        assert!(Users::load(&Authentication::None).unwrap().is_none());
    }

    #[test]
    fn handshakes_are_told_why() {
        let users = one();
        let kind = |kind, name, password| {
            users.authenticate(kind, name, password).map(|name| drop(name.unwrap())).map_err(|e| e.kind)
        };
        assert_eq!(kind(Some("BASIC"), "admin", "s3cret"), Ok(()));
        assert_eq!(kind(Some("basic"), "admin", "s3cret"), Ok(()));
        assert_eq!(kind(Some("basic"), "admin", "wrong"), Err(Kind::InvalidCredentials));
        assert_eq!(kind(Some("basic"), "", ""), Err(Kind::InvalidCredentials));
        assert_eq!(kind(None, "admin", "s3cret"), Err(Kind::InvalidCredentials));
        assert_eq!(kind(Some("LDAP"), "admin", "s3cret"), Err(Kind::UnsupportedAuthentication));
    }

    #[test]
    fn a_users_file_holds_hashes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        add_user(&path, "ann", "one").unwrap();
        add_user(&path, "bob", "two").unwrap();
        add_user(&path, "ann", "three").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("bob:$argon2id$") && !text.contains("two"));
        assert_eq!(text.matches("ann:").count(), 1);
        let users = Users::load(&Authentication::File(path.clone())).unwrap().unwrap();
        assert!(users.check("bob", "two") && users.check("ann", "three"));
        assert_eq!(users.known("bob", "two"), Some(true));
        assert_eq!([users.known("bob", "one"), users.known("eve", "two")], [None, None]);
        assert!(!users.check("ann", "one") && !users.check("bob", "three") && !users.check("eve", ""));

        for bad in ["", "a:b", " a", "#a", "a\nb"] {
            assert!(add_user(&path, bad, "x").is_err(), "{bad:?}");
        }
        for bad in ["nothing", "a:b", ":$argon2id$"] {
            fs::write(&path, bad).unwrap();
            let error = Users::load(&Authentication::File(path.clone())).unwrap_err().to_string();
            assert!(error.contains("line 1"), "{error}");
        }
    }
}
