//! `larder completions`, `larder man`: what does a shell, and what does `man`, know of the command line?
//!
//! Both are made from the table that `--help` is made from, so they cannot disagree with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::exit::{Exit, print, say};

/// For which shell.
#[derive(Args, Debug)]
#[command(after_help = "bash: larder completions bash > /etc/bash_completion.d/larder\n\
    zsh:  larder completions zsh > \"${fpath[1]}/_larder\"\n\
    fish: larder completions fish > ~/.config/fish/completions/larder.fish")]
pub(super) struct CompletionFlags {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Where to.
#[derive(Args, Debug)]
#[command(after_help = "All pages: larder man --dir /usr/local/share/man/man1")]
pub(super) struct ManFlags {
    /// Folder for a page of each command, larder.1, larder-serve.1 and so on; without it larder.1 is printed
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints a shell's completions.
pub(super) fn completions(flags: &CompletionFlags, mut line: Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut line, "larder", &mut script);
    print(&String::from_utf8_lossy(&script));
    Exit::Success
}

/// Prints the manual page, or writes all of them.
pub(super) fn man(flags: &ManFlags, mut line: Command) -> Exit {
    // settings may differ where it is read: no default is taken from this environment
    line.build();
    let done = match &flags.dir {
        None => page(&line).map(|page| print(&page)),
        Some(folder) => write_all(folder, &line),
    };
    match done {
        Ok(()) => Exit::Success,
        Err(error) => {
            say(&format!("error: the manual cannot be written: {error}\n"));
            Exit::Failure
        }
    }
}

fn page(line: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(line.clone()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// A page of this command and of each below it.
fn write_all(folder: &Path, line: &Command) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let name = line.get_display_name().unwrap_or_else(|| line.get_name()).to_owned();
    fs::write(folder.join(format!("{name}.1")), page(line)?)?;
    let below =
        line.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
    below.into_iter().try_for_each(|command| write_all(folder, command))
}
