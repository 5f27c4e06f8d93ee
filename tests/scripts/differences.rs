//! Where Flint answers otherwise: deliberately in `data/scripts/sql/differences.txt`, not yet mended in `open.txt`.

use std::cell::Cell;
use std::path::Path;

/// Stands for any answer.
const ANYTHING: &str = "*";

/// One statement with Flint's own answer.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) file: String,
    sql: String,
    flint: String,
    met: Cell<bool>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Differences(Vec<Difference>);

impl Differences {
    /// Reads the lists in a folder.
    pub(crate) fn read_all(folder: &Path) -> Self {
        let lists = ["differences.txt", "open.txt"].map(|name| Self::read(&folder.join(name)).0);
        Self(lists.into_iter().flatten().collect())
    }

    /// Reads a list. Each entry ends with its `flint:` line; `why:` and `file:` hold until the next one.
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let (mut why, mut file, mut sql) = (String::new(), String::new(), String::new());
        let mut all = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let at = format!("{}:{}", path.display(), number + 1);
            match line.split_once(": ") {
                _ if line.is_empty() || line.starts_with('#') => {}
                Some(("why", rest)) => rest.clone_into(&mut why),
                Some(("file", rest)) => rest.clone_into(&mut file),
                Some(("sql", rest)) => rest.clone_into(&mut sql),
                Some(("flint", rest)) => {
                    assert!(
                        ![&why, &file, &sql].iter().any(|part| part.is_empty()),
                        "{at}: why, file or sql is missing"
                    );
                    let sql = std::mem::take(&mut sql);
                    all.push(Difference { file: file.clone(), sql, flint: rest.to_owned(), met: Cell::new(false) });
                }
                _ => panic!("{at}: neither why, file, sql nor flint"),
            }
        }
        Self(all)
    }

    /// Whether that answer to the statement of the file is one that is listed.
    pub(crate) fn accepts(&self, file: &str, sql: &str, answer: &str) -> bool {
        // What differs from run to run is not held to anything.
        let same = |d: &&Difference| d.file == file && d.sql == sql && [answer, ANYTHING].contains(&d.flint.as_str());
        self.0.iter().filter(same).inspect(|difference| difference.met.set(true)).count() > 0
    }

    /// Entries for files of the group that nothing met.
    pub(crate) fn unmet(&self, group: &str) -> Vec<String> {
        let of_group = |d: &&Difference| d.file.split('/').next() == Some(group) && !d.met.get();
        self.0.iter().filter(of_group).map(|d| format!("{}: no longer: {}\n    {}", d.file, d.sql, d.flint)).collect()
    }
}
