//! What stands on a page: its blocks, headings, links and words in code?

use std::fs;
use std::path::Path;

/// What stands between fences, or is indented.
#[derive(Debug)]
pub(crate) struct Block {
    /// The line before its first one: that of its fence, where it has one.
    pub(crate) line: usize,
    pub(crate) info: String,
    pub(crate) text: String,
}

/// A Markdown file.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// From the repository's root.
    pub(crate) path: String,
    pub(crate) blocks: Vec<Block>,
    /// As anchors.
    pub(crate) headings: Vec<String>,
    /// With their lines; those with a scheme left out.
    pub(crate) links: Vec<(usize, String)>,
    /// Words between backticks, with their lines.
    pub(crate) code: Vec<(usize, String)>,
    pub(crate) text: String,
}

/// Every page that people read.
pub(crate) fn pages() -> Vec<Page> {
    let mut files = vec!["README.md".to_owned(), "clients/js/README.md".to_owned()];
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("run from the package's root") {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                folders.push(name);
            } else if path.extension().is_some_and(|end| end == "md") {
                files.push(name);
            }
        }
    }
    files.sort();
    assert!(files.len() > 15, "pages are missing: {files:?}");
    files.iter().map(|file| Page::read(file, &fs::read_to_string(file).unwrap())).collect()
}

impl Page {
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let mut page = Self { path: path.to_owned(), text: text.to_owned(), ..Self::default() };
        let lines: Vec<&str> = text.lines().collect();
        let mut at = 0;
        while at < lines.len() {
            let (line, number) = (lines[at], at + 1);
            let indent = line.len() - line.trim_start().len();
            if let Some(info) = line.trim_start().strip_prefix("```") {
                let length = lines[number..].iter().take_while(|line| line.trim() != "```").count();
                let inside = &lines[number..number + length];
                page.push_block(number, info, inside, indent);
                at = number + length + 1;
            } else if indent >= 4 && (at == 0 || lines[at - 1].is_empty()) {
                let length = lines[at..].iter().take_while(|line| line.starts_with("    ")).count();
                page.push_block(at, "", &lines[at..at + length], 4);
                at += length;
            } else {
                page.read_line(number, line);
                at += 1;
            }
        }
        page
    }

    fn push_block(&mut self, line: usize, info: &str, lines: &[&str], indent: usize) {
        let text =
            lines.iter().map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect();
        self.blocks.push(Block { line, info: info.trim().to_owned(), text });
    }

    fn read_line(&mut self, number: usize, line: &str) {
        if line.starts_with('#') {
            self.headings.push(anchor(line.trim_start_matches('#')));
        }
        for (index, part) in line.split('`').enumerate() {
            if index % 2 == 1 {
                self.code.push((number, part.to_owned()));
            }
        }
        let links = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (link, _) in links.filter(|(link, _)| !link.contains("://")) {
            self.links.push((number, link.to_owned()));
        }
    }

    /// Where a link of this page leads, from the repository's root, and its anchor.
    pub(crate) fn resolve(&self, link: &str) -> (String, Option<String>) {
        let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
        let mut parts: Vec<&str> = Path::new(&self.path).iter().filter_map(|part| part.to_str()).collect();
        if !file.is_empty() {
            parts.pop();
        }
        for part in file.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part != ".." {
                parts.push(part);
            } else if parts.pop().is_none() {
                parts.push("outside of the repository");
            }
        }
        (parts.join("/"), anchor.map(str::to_owned))
    }
}

/// The anchor that a heading gets: small letters, digits, `-` and `_`.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}
