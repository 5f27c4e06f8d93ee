//! The line editor: history, completion, statements over several lines.

use super::{Next, Shell, Splitter, Words};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Entries of the history at most.
const HISTORY_MAX: usize = 10_000;

/// Runs the shell with a person at the terminal, until that person leaves. `history` is read at the start and added to
/// at the end. If the connection has a flag that interrupts it, somebody else sets it at Ctrl-C.
///
/// # Errors
/// The terminal fails.
pub fn run(shell: &mut Shell<'_>, history: Option<&Path>) -> Result<(), String> {
    let failed = |error: ReadlineError| format!("the terminal failed: {error}");
    let config = Config::builder()
        .max_history_size(HISTORY_MAX)
        .map_err(failed)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .build();
    let mut editor: Editor<Assistant, FileHistory> = Editor::with_config(config).map_err(failed)?;
    editor.set_helper(Some(Assistant(Words::keywords())));
    if let Some(path) = history {
        // The first run has none.
        let _ = editor.load_history(path);
    }
    let ended = loop {
        if let (Some(words), Some(assistant)) = (shell.words(), editor.helper_mut()) {
            assistant.0 = words;
        }
        let prompt = if shell.in_transaction() { "flint*> " } else { "flint> " };
        match editor.readline(prompt) {
            Ok(text) => {
                // What interrupted the last statement too late is not meant for this one.
                if let Some(flag) = &shell.options.interrupt {
                    flag.store(false, Ordering::Relaxed);
                }
                if shell.typed(&text) == Next::Quit {
                    break Ok(());
                }
            }
            // Gives up what was typed.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break Ok(()),
            Err(error) => break Err(failed(error)),
        }
    };
    if let Some(path) = history
        && let Err(error) = editor.append_history(path)
    {
        shell.tell(format_args!("{} cannot be written: {error}", path.display()));
    }
    ended
}

impl Shell<'_> {
    /// Runs what was typed: a command, or whole statements.
    fn typed(&mut self, text: &str) -> Next {
        let mut splitter = Splitter::default();
        self.line(&mut splitter, None, &format!("{text}\n"))
    }
}

/// What the editor asks while a person types.
struct Assistant(Words);

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, cursor: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.0.complete(line, cursor))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_whole(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {}

impl Helper for Assistant {}

/// Whether the input can run: it is a command, or ends with the end of a statement.
fn is_whole(input: &str) -> bool {
    if input.trim_start().starts_with('\\') {
        return true;
    }
    let mut splitter = Splitter::default();
    // What is too long for a statement is told when it runs.
    if splitter.push(input).and_then(|()| splitter.push("\n")).is_err() {
        return true;
    }
    while splitter.next_statement().is_some() {}
    splitter.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_goes_on_until_its_semicolon() {
        for whole in ["", "  ", "a;", "\\d t", "a; -- b", "a;\nb;"] {
            assert!(is_whole(whole), "{whole}");
        }
        for open in ["a", "a; b", "';", "/* a;", "a -- ;"] {
            assert!(!is_whole(open), "{open}");
        }
    }
}
