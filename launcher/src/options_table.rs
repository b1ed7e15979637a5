//! Decision: the README's options table, rendered from the clap command, so that nobody types it.

use crate::options;
use std::fmt::Write;

/// Line before the table in the README.
pub const BEGIN: &str = "<!-- options -->";
/// Line after it.
pub const END: &str = "<!-- /options -->";

/// The table in Markdown: one row per visible option, a section per heading.
pub fn markdown() -> String {
    let command = options::command();
    let mut table = String::new();
    let mut heading = "";
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let (Some(long), Some(env)) = (arg.get_long(), arg.get_env()) else { continue };
        let section = arg.get_help_heading().unwrap_or("Options");
        if section != heading {
            let gap = if heading.is_empty() { "" } else { "\n" };
            heading = section;
            // Writing to a String cannot fail.
            let _ = write!(
                table,
                "{gap}**{section}**\n\n| flag | variable | default | meaning |\n|---|---|---|---|\n"
            );
        }
        let value = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let default = arg
            .get_default_values()
            .first()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .unwrap_or_default();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.trim_end_matches('.');
        let _ =
            writeln!(table, "| `--{long} <{value}>` | `{}` | {default} | {help} |", env.to_string_lossy(),);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_holds_the_table_that_the_options_give() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        let readme = std::fs::read_to_string(path).unwrap();
        let section = readme
            .split_once(BEGIN)
            .and_then(|(_, rest)| rest.split_once(END))
            .map(|(section, _)| section.trim())
            .expect("the README has a section between the markers");
        assert!(
            section == markdown().trim(),
            "the README's options differ from the program's; put this between its markers (`vdi-launcher --help-markdown` \
             prints it):\n{}",
            markdown()
        );
    }
}
