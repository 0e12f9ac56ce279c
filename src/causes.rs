//! What is said of an error, with everything that led to it?

use std::error::Error;

/// An error and its causes in one line. Log lines for machines hold the error alone unless they are given this.
pub fn in_full(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        line = format!("{line}: {source}");
        cause = source.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the roof leaks")]
    struct Roof(#[source] Tile);

    #[derive(Debug, thiserror::Error)]
    #[error("a tile is broken")]
    struct Tile;

    #[test]
    fn causes_follow_what_they_led_to() {
        assert_eq!(in_full(&Roof(Tile)), "the roof leaks: a tile is broken");
        assert_eq!(in_full(&Tile), "a tile is broken");
    }
}
