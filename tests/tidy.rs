//! The shape of the code: which layer may use which, which crate is named where, how long a line and a file may be.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the bottom up. A file may use its own layer and those below.
const LAYERS: &[(&str, u8)] = &[
    ("config", 0),
    ("error", 0),
    ("value", 1),
    ("wire", 2),
    ("store", 3),
    ("op", 4),
    ("auth", 4),
    ("sql", 5),
    ("door", 6),
    ("trace", 7),
    ("net", 8),
    ("control", 9),
    ("server", 10),
    ("client", 10),
    ("fixture", 11),
    ("bench", 11),
    ("tabular", 11),
    ("shell", 11),
    ("cli", 12),
    ("main", 13),
    ("lib", 13),
];

/// Crates, and the only places that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("mio::", &["src/net/", "src/bench/"]),
    ("sled::", &["src/store/persist/checkpoint.rs"]),
    ("rmpv::", &["src/wire/msgpack"]),
    ("crc32fast::", &["src/store/"]),
    ("rustls::", &["src/net/tls", "src/fixture", "src/client/"]),
    ("rustyline::", &["src/shell/editor.rs"]),
    ("sqlparser::", &["src/op/ddl/", "src/sql/"]),
    ("datafusion::", &["src/sql/query/", "src/tabular/parquet.rs"]),
    ("tokio::", &["src/sql/query/"]),
];

const LINE_CHARS_MAX: usize = 160;
const FILE_LINES_MAX: usize = 800;

fn sources(dir: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&root.join(dir), &mut files);
    assert!(!files.is_empty(), "no sources in {dir}");
    files.sort();
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The code before the file's unit tests.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

fn layer(path: &str) -> u8 {
    let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default();
    let known = LAYERS.iter().find(|(name, _)| *name == module);
    known.unwrap_or_else(|| panic!("{path}: module {module} has no place in LAYERS")).1
}

#[test]
fn layers_use_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let own = layer(&path);
        for (number, line) in product(&text).lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let module: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if LAYERS.iter().any(|(name, rank)| *name == module && *rank > own) {
                    wrong.push(format!("{path}:{} uses {module}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "upward uses:\n{}", wrong.join("\n"));
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        for (number, line) in
            product(&text).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for (name, places) in CRATES {
                if line.contains(name) && !places.iter().any(|place| path.starts_with(place)) {
                    wrong.push(format!("{path}:{} names {name}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_and_lines_can_be_read_in_one_sitting() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        if text.lines().count() > FILE_LINES_MAX {
            wrong.push(format!("{path} has {} lines, the limit is {FILE_LINES_MAX}", text.lines().count()));
        }
        for (number, line) in text.lines().enumerate().filter(|(_, line)| line.chars().count() > LINE_CHARS_MAX) {
            wrong.push(format!("{path}:{} has {} characters", number + 1, line.chars().count()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = ["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "TODO", "FIXME"];
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_code_of_the_draft_is_in_the_protocol_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("protocol.md")).unwrap();
    for code in (1..=5).chain(10..=42) {
        assert!(document.contains(&format!("| {code} |")), "protocol.md has no row for operation {code}");
    }
}
