//! What no command line should show: the text of a file, else of a variable.

/// Reads it, or says why it cannot be read. An empty name is none.
pub(super) fn secret(file: Option<&str>, variable: Option<String>) -> Result<Option<String>, String> {
    let Some(path) = file.filter(|path| !path.is_empty()) else { return Ok(variable) };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) => Err(format!("cannot read `{path}`: {error}")),
    }
}
